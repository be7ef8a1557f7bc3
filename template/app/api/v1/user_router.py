from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from starlette.convertors import StringConvertor, register_url_convertor

from app.api.conditions import ChangeDep, ETagDep
from app.api.creation import CreationDep
from app.api.deps import (
    AccountEventsDep,
    AttemptDep,
    CurrentUser,
    ExportsDep,
    IdentityDep,
    ProvidersDep,
    RefreshTokenRepositoryDep,
    SnapshotDep,
    UserRepositoryDep,
    require,
)
from app.api.errors import BODY, errors
from app.api.export import exported
from app.api.listing import listing
from app.core.exceptions import NotFoundError
from app.domain.models.user import Role
from app.domain.schemas.common import MessageResponse, Page
from app.domain.schemas.user import (
    PasswordChange,
    PasswordReset,
    ProfileUpdate,
    UserCreate,
    UserExportQuery,
    UserListQuery,
    UserResponse,
    UserUpdate,
)
from app.service.user_service import UserService

router = APIRouter(
    prefix="/users",
    tags=["users"],
    responses=errors(401, 503),
)


class UserIdConvertor(StringConvertor):
    """Matches any ID but `me` and `export`, so that a method that these lack gets a 405 and does not reach a user."""

    regex = "(?!(?:me|export)(?:/|$))[^/]+"


register_url_convertor("user_id", UserIdConvertor())
ONE = "/{user_id:user_id}"

ADMIN = [Depends(require(Role.ADMIN))]
STAFF = [Depends(require(Role.ADMIN, Role.MODERATOR))]


async def get_user_service(
    users: UserRepositoryDep,
    refresh_tokens: RefreshTokenRepositoryDep,
    events: AccountEventsDep,
) -> UserService:
    """Returns the service on the session of the request."""
    return UserService(users, refresh_tokens, events)


UserServiceDep = Annotated[
    UserService,
    Depends(get_user_service),
]


async def get_user_export(
    providers: ProvidersDep,
    session: SnapshotDep,
) -> UserService:
    """Returns the service on a session that reads one snapshot."""
    return UserService(providers.user_repository(session), providers.refresh_token_repository(session))


UserExportDep = Annotated[
    UserService,
    Depends(get_user_export),
]


@router.get("/me")
async def get_me(
    current_user: CurrentUser,
    etag: ETagDep,
) -> UserResponse:
    """Returns the user who is signed in."""
    return UserResponse.model_validate(etag.show(current_user))


@router.patch("/me", responses=errors(*BODY))
async def update_me(
    data: ProfileUpdate,
    current_user: CurrentUser,
    service: UserServiceDep,
    change: ChangeDep,
) -> UserResponse:
    """Changes the fields that are sent, and leaves the others as they are (a merge patch, RFC 7396)."""
    change.expect(current_user.id)
    return UserResponse.model_validate(change.show(await service.update(current_user.id, data)))


@router.post("/me/password", status_code=204, responses=errors(*BODY, 403, 429))
async def change_my_password(
    data: PasswordChange,
    current_user: CurrentUser,
    identity: IdentityDep,
    service: UserServiceDep,
    attempt: AttemptDep,
) -> None:
    """Sets a new password, and ends all other sessions of this user.

    The current password is required. Failed attempts are limited like failed sign-ins.
    """
    async with attempt:
        await service.change_password(current_user, identity.session_id, data)


@router.get("", dependencies=STAFF, responses=errors(403, 422))
async def list_users(
    query: Annotated[UserListQuery, Depends(listing(UserListQuery))],
    service: UserServiceDep,
) -> Page[UserResponse]:
    """Lists the users that match, a page at a time.

    Send the `next` of a page as `after` to get the following page.
    """
    return Page[UserResponse].model_validate(await service.list(query))


@router.get("/export", dependencies=STAFF, response_class=Response, responses=exported(403, 422))
async def export_users(
    query: Annotated[UserExportQuery, Depends(listing(UserExportQuery))],
    service: UserExportDep,
    exports: ExportsDep,
) -> Response:
    """Streams all users that match, as CSV or as NDJSON."""
    return exports.file("users", query, service.export(query), UserResponse)


@router.post("", status_code=201, dependencies=ADMIN, responses=errors(*BODY, 403, 409))
async def create_user(
    data: UserCreate,
    service: UserServiceDep,
    creation: CreationDep,
) -> UserResponse:
    """Creates a new user with the given role."""
    return await creation.respond(await service.create(data), UserResponse)


@router.get(ONE, responses=errors(404, 422))
async def get_user(
    user_id: UUID,
    current_user: CurrentUser,
    service: UserServiceDep,
    etag: ETagDep,
) -> UserResponse:
    """Returns one user. A caller whose role may not see other users gets a 404 for all of them."""
    if current_user.id != user_id and current_user.role is Role.USER:
        raise NotFoundError  # the same as for a user that does not exist
    return UserResponse.model_validate(etag.show(await service.get(user_id)))


@router.patch(ONE, dependencies=ADMIN, responses=errors(*BODY, 403, 404, 409))
async def update_user(
    user_id: UUID,
    data: UserUpdate,
    service: UserServiceDep,
    change: ChangeDep,
) -> UserResponse:
    """Changes the fields that are sent, and leaves the others as they are (a merge patch, RFC 7396).

    A new role or a deactivation takes effect at the next request of the user.
    The last administrator cannot be demoted or deactivated.
    """
    change.expect(user_id)
    return UserResponse.model_validate(change.show(await service.update(user_id, data)))


@router.delete(ONE, dependencies=ADMIN, responses=errors(403, 404, 409, 422))
async def delete_user(
    user_id: UUID,
    service: UserServiceDep,
    change: ChangeDep,
) -> MessageResponse:
    """Deletes one user, who is gone from lists and can no longer sign in.

    The last administrator cannot be deleted. The e-mail address can be used again.
    """
    change.expect(user_id)
    await service.delete(user_id)
    return MessageResponse(message="User deleted successfully")


@router.post(f"{ONE}/password", status_code=204, dependencies=ADMIN, responses=errors(*BODY, 403, 404))
async def reset_password(
    user_id: UUID,
    data: PasswordReset,
    service: UserServiceDep,
) -> None:
    """Sets a new password for a user, and ends all their sessions."""
    await service.reset_password(user_id, data)
