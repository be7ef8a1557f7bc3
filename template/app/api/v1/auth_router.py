from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.security import OAuth2PasswordRequestForm

from app.api.deps import (
    AccessTokensDep,
    AccountEventsDep,
    AttemptDep,
    ClientDep,
    DeviceDep,
    RefreshTokenRepositoryDep,
    RegistrationLimiterDep,
    SettingsDep,
    UserRepositoryDep,
)
from app.api.errors import BODY, errors
from app.api.v1.user_router import UserServiceDep
from app.core.exceptions import ForbiddenError
from app.domain.schemas.auth import RefreshRequest, RegisterRequest, TokenResponse
from app.domain.schemas.user import UserResponse
from app.service.auth_service import AuthService

router = APIRouter(prefix="/auth", tags=["auth"], responses=errors(*BODY, 503))


async def get_auth_service(
    users: UserRepositoryDep,
    refresh_tokens: RefreshTokenRepositoryDep,
    access_tokens: AccessTokensDep,
    settings: SettingsDep,
    device: DeviceDep,
    *,
    events: AccountEventsDep,
) -> AuthService:
    """Returns the service for signing in, for the device that sent the request."""
    lifetime = timedelta(days=settings.REFRESH_TOKEN_EXPIRE_DAYS)
    return AuthService(users, refresh_tokens, access_tokens, lifetime, device, events=events)


AuthServiceDep = Annotated[AuthService, Depends(get_auth_service)]


async def forbid_caching(response: Response) -> None:
    """Tokens must not be cached (RFC 6749, section 5.1)."""
    response.headers["Cache-Control"] = "no-store"


async def require_registration(settings: SettingsDep) -> None:
    """Raises ForbiddenError unless `REGISTRATION_ENABLED` is on."""
    if not settings.REGISTRATION_ENABLED:
        raise ForbiddenError("Registration is disabled.")


@router.post("/login", dependencies=[Depends(forbid_caching)], responses=errors(401, 403, 429))
async def login(
    form: Annotated[OAuth2PasswordRequestForm, Depends()], service: AuthServiceDep, attempt: AttemptDep
) -> TokenResponse:
    """Signs in with the form of the OAuth 2.0 password grant (RFC 6749, section 4.3).

    `username` is the e-mail address. Send the access token as `Authorization: Bearer ...` for the next `expires_in`
    seconds, then exchange the refresh token for a new pair. A wrong address, a wrong password and an inactive account
    get the same response. Failed attempts are limited per client address. If the application requires a verified
    address, a user who has not verified it yet gets a 403.
    """
    async with attempt:
        user = await service.authenticate(form.username, form.password)
    return await service.begin_session(user)


@router.post("/refresh", dependencies=[Depends(forbid_caching)], responses=errors(401))
async def refresh(data: RefreshRequest, service: AuthServiceDep) -> TokenResponse:
    """Exchanges a refresh token for a new pair of tokens.

    A refresh token works once. If one is used again, it may have been stolen: the whole session ends (RFC 9700, section
    4.14.2).
    """
    return await service.refresh(data.refresh_token)


@router.post("/logout", status_code=204)
async def logout(data: RefreshRequest, service: AuthServiceDep) -> None:
    """Ends the session of this refresh token.

    Access tokens of the session stop working as well. The response is the same if the session has ended already.
    """
    await service.logout(data.refresh_token)


@router.post(
    "/register", status_code=201, dependencies=[Depends(require_registration)], responses=errors(403, 409, 429)
)
async def register(
    data: RegisterRequest, service: UserServiceDep, limiter: RegistrationLimiterDep, client: ClientDep
) -> UserResponse:
    """Creates an account with the role `user`.

    This responds with 403 unless `REGISTRATION_ENABLED` is on, and with 409 if the e-mail address is in use.
    Registrations are limited per client.
    """
    await limiter.count(client)
    return UserResponse.model_validate(await service.register(data))
