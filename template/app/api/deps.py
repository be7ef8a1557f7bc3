"""What routers ask for: a session, and who is asking."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.routing import enter
from app.core.config import Settings, get_settings
from app.core.database import Database
from app.core.exceptions import ForbiddenError, UnauthorizedError
from app.core.rate_limit import AttemptLimiter
from app.core.security import AccessTokens, Identity
from app.core.shutdown import Shutdown
from app.domain.models.user import Role, User
from app.repository.refresh_token_repository import RefreshTokenRepository

# RFC 9110, 9.2.1: methods that only read.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


async def get_app_settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def get_database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


async def get_access_tokens(request: Request) -> AccessTokens:
    access_tokens: AccessTokens = request.app.state.access_tokens
    return access_tokens


async def get_attempt_limiter(request: Request) -> AttemptLimiter:
    limiter: AttemptLimiter = request.app.state.attempt_limiter
    return limiter


async def get_shutdown(request: Request) -> Shutdown:
    shutdown: Shutdown = request.app.state.shutdown
    return shutdown


SettingsDep = Annotated[Settings, Depends(get_app_settings)]
DatabaseDep = Annotated[Database, Depends(get_database)]
AccessTokensDep = Annotated[AccessTokens, Depends(get_access_tokens)]
AttemptLimiterDep = Annotated[AttemptLimiter, Depends(get_attempt_limiter)]
ShutdownDep = Annotated[Shutdown, Depends(get_shutdown)]


async def get_session(request: Request) -> AsyncSession:
    """The session of this request: a transaction, or none where the method only reads.

    It ends before the answer starts: what an answer promises is committed, and any error rolls it back.
    """
    database = await get_database(request)
    return await enter(request, database.reading() if request.method in SAFE_METHODS else database.transaction())


SessionDep = Annotated[AsyncSession, Depends(get_session)]


async def get_client(request: Request) -> str:
    """The address of the client; behind a proxy, what the server was told to believe of its headers."""
    return request.client.host if request.client else ""


ClientDep = Annotated[str, Depends(get_client)]


async def get_attempt(limiter: AttemptLimiterDep, client: ClientDep) -> AbstractAsyncContextManager[None]:
    """For the block in which this client may guess a password."""
    return limiter.attempt(client)


AttemptDep = Annotated[AbstractAsyncContextManager[None], Depends(get_attempt)]

_bearer = OAuth2PasswordBearer(tokenUrl=f"{get_settings().API_V1_PREFIX}/auth/login", auto_error=False)


TokenDep = Annotated[str | None, Depends(_bearer)]


async def get_identity(request: Request, token: TokenDep) -> Identity:
    """Raises UnauthorizedError."""
    if not token:
        raise UnauthorizedError
    access_tokens = await get_access_tokens(request)
    return access_tokens.read(token)


IdentityDep = Annotated[Identity, Depends(get_identity)]


async def get_current_user(request: Request, token: TokenDep) -> User:
    """Who is asking, read anew for each request, so that a change of a user acts at once.

    Its session is closed before the request's own begins: no request holds two connections. Raises UnauthorizedError.
    """
    identity = await get_identity(request, token)
    database = await get_database(request)
    async with database.reading() as session:
        user = await RefreshTokenRepository(session).get_user(identity.user_id, identity.session_id)
    if user is None:
        raise UnauthorizedError("The session has ended.")
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]


def require(*roles: Role) -> Callable[[User], Awaitable[User]]:
    """A dependency that lets only these roles pass. It raises ForbiddenError."""

    async def require_role(user: CurrentUser) -> User:
        if user.role not in roles:
            raise ForbiddenError("Your role does not allow this.")
        return user

    return require_role
