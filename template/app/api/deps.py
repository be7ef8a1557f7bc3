"""The dependencies of routes: settings, a session, repositories, and the calling user."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from typing import Annotated

from fastapi import Depends
from fastapi.requests import HTTPConnection
from fastapi.security import OAuth2PasswordBearer
from limits.aio.storage import MemoryStorage, Storage
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.export import Exports
from app.core.config import Settings, get_settings
from app.core.database import Database
from app.core.device import Device, device_of
from app.core.exceptions import ForbiddenError, UnauthorizedError
from app.core.rate_limit import AttemptLimiter, RegistrationLimiter
from app.core.security import AccessTokens, Identity
from app.core.shutdown import Shutdown
from app.domain.models.user import Role, User
from app.repository.refresh_token_repository import RefreshTokenRepository
from app.repository.user_repository import UserRepository
from app.service.account_events import AccountEvents
from app.service.outbox import Outbox

# RFC 9110, 9.2.1: methods that only read.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Providers:
    """The objects that all requests share; there is one instance per application.

    An integration may replace any of them, such as a repository by one that reads through a cache.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.access_tokens = AccessTokens(settings)
        # Where rate limits keep their counts.
        self.counts: Storage = MemoryStorage()
        self.attempt_limiter = AttemptLimiter(settings, self.counts)
        self.registration_limiter = RegistrationLimiter(settings, self.counts)
        self.shutdown = Shutdown(settings.SHUTDOWN_DELAY)
        self.exports = Exports(settings)
        self.user_repository: Callable[[AsyncSession], UserRepository] = UserRepository
        self.refresh_token_repository: Callable[[AsyncSession], RefreshTokenRepository] = RefreshTokenRepository
        # Creates the object that reacts to the events of an account, within the transaction of a session.
        self.account_events: Callable[[AsyncSession], AccountEvents] = lambda _: AccountEvents()
        # The requests with an `Idempotency-Key` that run in this process.
        self.running_requests: set[str] = set()
        # The services that readiness reports besides the database: a name, and a function that raises during an outage.
        self.reported_checks: dict[str, Callable[[], Awaitable[None]]] = {}

    @cached_property
    def database(self) -> Database:
        """The database. Raises SystemExit, with a sentence that says what to do, if `DATABASE_URL` is not set."""
        return Database(self._settings)

    @cached_property
    def outbox(self) -> Outbox:
        """The outbox of this process, on its database."""
        return Outbox(self._settings, self.database)


# Dependencies call these plain functions, since FastAPI resolves each further dependency anew for every request.


def settings_of(connection: HTTPConnection) -> Settings:
    """Returns the settings that the application was created with."""
    settings: Settings = connection.app.state.settings
    return settings


def providers_of(connection: HTTPConnection) -> Providers:
    """Returns the providers of the application."""
    providers: Providers = connection.app.state.providers
    return providers


async def get_app_settings(connection: HTTPConnection) -> Settings:
    """Returns the settings that the application was created with."""
    return settings_of(connection)


async def get_providers(connection: HTTPConnection) -> Providers:
    """Returns the providers of the application: the database, the limiters, the checks of readiness and others."""
    return providers_of(connection)


async def get_database(connection: HTTPConnection) -> Database:
    """Returns the database, for code that opens sessions of its own."""
    return providers_of(connection).database


async def get_exports(connection: HTTPConnection) -> Exports:
    """Returns the exports of this process, of which only a limited number may run at a time."""
    return providers_of(connection).exports


async def get_access_tokens(connection: HTTPConnection) -> AccessTokens:
    """Returns the object that issues and verifies access tokens."""
    return providers_of(connection).access_tokens


async def get_attempt_limiter(connection: HTTPConnection) -> AttemptLimiter:
    """Returns the limiter of failed sign-ins."""
    return providers_of(connection).attempt_limiter


async def get_registration_limiter(connection: HTTPConnection) -> RegistrationLimiter:
    """Returns the limiter of registrations."""
    return providers_of(connection).registration_limiter


SettingsDep = Annotated[Settings, Depends(get_app_settings)]
ProvidersDep = Annotated[Providers, Depends(get_providers)]
DatabaseDep = Annotated[Database, Depends(get_database)]
ExportsDep = Annotated[Exports, Depends(get_exports)]
AccessTokensDep = Annotated[AccessTokens, Depends(get_access_tokens)]
AttemptLimiterDep = Annotated[AttemptLimiter, Depends(get_attempt_limiter)]
RegistrationLimiterDep = Annotated[RegistrationLimiter, Depends(get_registration_limiter)]


async def get_session(connection: HTTPConnection) -> AsyncIterator[AsyncSession]:
    """Yields the session of a request: it only reads if the method is safe, and is a transaction otherwise.

    It ends before the response starts, so that no response reports a change before its commit. Any error rolls it back.
    """
    database = providers_of(connection).database
    reads = connection.scope.get("method") in SAFE_METHODS
    async with database.reading() if reads else database.transaction() as session:
        yield session


async def get_transaction(connection: HTTPConnection) -> AsyncIterator[AsyncSession]:
    """Yields a session that is a transaction whatever the method, for the rare GET that writes."""
    async with providers_of(connection).database.transaction() as session:
        yield session


async def get_snapshot(connection: HTTPConnection) -> AsyncIterator[AsyncSession]:
    """Yields a session for an export: it reads a snapshot as of its first statement, and ends after the response."""
    async with providers_of(connection).database.snapshot() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
TransactionDep = Annotated[AsyncSession, Depends(get_transaction, scope="function")]
SnapshotDep = Annotated[AsyncSession, Depends(get_snapshot, scope="request")]


async def get_user_repository(connection: HTTPConnection, session: SessionDep) -> UserRepository:
    """Returns the repository of users on the session of the request."""
    return providers_of(connection).user_repository(session)


async def get_refresh_token_repository(connection: HTTPConnection, session: SessionDep) -> RefreshTokenRepository:
    """Returns the repository of refresh tokens on the session of the request."""
    return providers_of(connection).refresh_token_repository(session)


async def get_account_events(connection: HTTPConnection, session: SessionDep) -> AccountEvents:
    """Returns the object that reacts to the events of an account, on the session of the request."""
    return providers_of(connection).account_events(session)


UserRepositoryDep = Annotated[UserRepository, Depends(get_user_repository)]
RefreshTokenRepositoryDep = Annotated[RefreshTokenRepository, Depends(get_refresh_token_repository)]
AccountEventsDep = Annotated[AccountEvents, Depends(get_account_events)]


async def get_shutdown(connection: HTTPConnection) -> Shutdown:
    """Deprecated: take ProvidersDep. This name and ShutdownDep are removed in 0.6.0."""
    return providers_of(connection).shutdown


ShutdownDep = Annotated[Shutdown, Depends(get_shutdown)]


async def get_client(connection: HTTPConnection) -> str:
    """Returns the address of the client; behind a proxy, the one in its headers, as far as the server trusts them."""
    return connection.client.host if connection.client else ""


ClientDep = Annotated[str, Depends(get_client)]


async def get_device(connection: HTTPConnection, client: ClientDep) -> Device:
    """Returns the device that sent the request, as far as the request describes it."""
    return device_of(connection.headers.get("User-Agent", ""), client)


DeviceDep = Annotated[Device, Depends(get_device)]


async def get_attempt(limiter: AttemptLimiterDep, client: ClientDep) -> AbstractAsyncContextManager[None]:
    """Returns a context manager for a block in which this client may guess a password."""
    return limiter.attempt(client)


AttemptDep = Annotated[AbstractAsyncContextManager[None], Depends(get_attempt)]

_prefix = get_settings().ROOT_PATH + get_settings().API_V1_PREFIX
_bearer = OAuth2PasswordBearer(tokenUrl=f"{_prefix}/auth/login", auto_error=False)

TokenDep = Annotated[str | None, Depends(_bearer)]


async def get_identity(connection: HTTPConnection, token: TokenDep) -> Identity:
    """Returns the identity in the access token. Raises UnauthorizedError if there is no valid token."""
    if not token:
        raise UnauthorizedError
    return providers_of(connection).access_tokens.read(token)


IdentityDep = Annotated[Identity, Depends(get_identity)]


async def get_current_user(connection: HTTPConnection, identity: IdentityDep) -> User:
    """Returns the calling user, read anew for each request, so that a changed role or status takes effect at once.

    The user is read in a separate session, which is closed before the session of the request begins, so that no request
    holds two connections. Raises UnauthorizedError.
    """
    async with providers_of(connection).database.reading() as session:
        user = await RefreshTokenRepository(session).get_user(identity.user_id, identity.session_id)
    if user is None:
        raise UnauthorizedError("The session has ended.")
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]


async def get_optional_user(connection: HTTPConnection, token: TokenDep) -> User | None:
    """Returns the calling user, or None if no token was sent. Raises UnauthorizedError if the token is not valid."""
    if not token:
        return None
    return await get_current_user(connection, await get_identity(connection, token))


OptionalUser = Annotated[User | None, Depends(get_optional_user)]


def require(*roles: Role) -> Callable[[User], Awaitable[User]]:
    """Returns a dependency that lets only these roles pass. It raises ForbiddenError."""

    async def require_role(user: CurrentUser) -> User:
        if user.role not in roles:
            raise ForbiddenError("Your role does not allow this.")
        return user

    return require_role
