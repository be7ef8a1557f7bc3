from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from app.api.deps import IdentityDep, RefreshTokenRepositoryDep, get_current_user
from app.api.errors import errors
from app.api.v1.user_router import router as users
from app.domain.schemas.session import SessionResponse
from app.service.session_service import SessionService

router = APIRouter(
    prefix=f"{users.prefix}/me/sessions",
    tags=["sessions"],
    dependencies=[Depends(get_current_user)],
    responses=errors(401, 503),
)


async def get_session_service(refresh_tokens: RefreshTokenRepositoryDep) -> SessionService:
    """Returns the service on the database session of the request."""
    return SessionService(refresh_tokens)


SessionServiceDep = Annotated[SessionService, Depends(get_session_service)]


@router.get("")
async def list_my_sessions(identity: IdentityDep, service: SessionServiceDep) -> list[SessionResponse]:
    """Lists the sessions of the user: this session first, then the most recently used ones, at most 100.

    `last_used_at`, `user_agent` and `client` are recorded when the session gets tokens. A client may send anything as
    its `user_agent`: show it as text.
    """
    return await service.list(identity)


@router.delete("", status_code=204)
async def end_my_other_sessions(identity: IdentityDep, service: SessionServiceDep) -> None:
    """Ends all other sessions of the user at once."""
    await service.end_others(identity)


@router.delete("/{session_id}", status_code=204, responses=errors(404, 422))
async def end_my_session(session_id: UUID, identity: IdentityDep, service: SessionServiceDep) -> None:
    """Ends one session of the user at once. To end this session is to sign out.

    The response is a 404 if the session has ended already or belongs to somebody else.
    """
    await service.end(identity, session_id)
