"""The rules about signing in and out."""

from datetime import datetime, timedelta

from uuid_utils.compat import uuid7

from app.core.device import UNKNOWN, Device
from app.core.exceptions import UnauthorizedError
from app.core.passwords import verify_password
from app.core.security import AccessTokens, Identity, digest, new_refresh_token
from app.domain.models.base import utc_now
from app.domain.models.user import User
from app.domain.schemas.auth import TokenResponse
from app.domain.schemas.user import MAXIMUM_PASSWORD_LENGTH, normalize_email
from app.repository.refresh_token_repository import RefreshTokenRepository
from app.repository.user_repository import UserRepository
from app.service.account_events import AccountEvents


class AuthService:
    """Signs users in and out."""

    def __init__(
        self,
        users: UserRepository,
        refresh_tokens: RefreshTokenRepository,
        access_tokens: AccessTokens,
        session_lifetime: timedelta,
        device: Device = UNKNOWN,
        *,
        events: AccountEvents | None = None,
    ) -> None:
        self.users = users
        self.refresh_tokens = refresh_tokens
        self.access_tokens = access_tokens
        self.session_lifetime = session_lifetime
        self.device = device
        self.events = events or AccountEvents()

    async def authenticate(self, email: str, password: str) -> User:
        """Returns the user with this e-mail address and password.

        Raises UnauthorizedError, the same and after the same time for an unknown user, a wrong password and an
        inactive user.
        """
        found = await self.users.get_by_email(normalize_email(email))
        password_hash = found.password_hash if found is not None else None
        await self.users.end_transaction()
        matches = len(password) <= MAXIMUM_PASSWORD_LENGTH and await verify_password(password, password_hash)

        user = await self.users.lock(found.id) if found is not None and matches else None
        # The password may have been changed while it was verified.
        if user is None or user.password_hash != password_hash:
            raise UnauthorizedError("The e-mail address or the password is wrong.")
        return user

    async def begin_session(self, user: User) -> TokenResponse:
        """Begins a session of this user, and returns its first tokens.

        Raises ForbiddenError if the user may not sign in yet.
        """
        await self.events.signing_in(user, self.device)
        return await self._issue(Identity(user.id, uuid7()), utc_now() + self.session_lifetime)

    async def login(self, email: str, password: str) -> TokenResponse:
        """Begins a session of the user that `authenticate` returns. Raises UnauthorizedError and ForbiddenError."""
        return await self.begin_session(await self.authenticate(email, password))

    async def refresh(self, token: str) -> TokenResponse:
        """Exchanges a refresh token for a new pair of tokens. This does not prolong the session.

        If a token is used twice, one of the two uses is a thief's, so that its session ends (RFC 9700, 4.14.2).
        Raises UnauthorizedError.
        """
        known = await self.refresh_tokens.get(digest(token))
        # The lock makes a change of the password wait for the new token, which the change then revokes as well.
        if known is None or await self.users.lock(known.user_id) is None:
            raise UnauthorizedError("The refresh token is not valid.")
        if not await self.refresh_tokens.use(known.token_hash):
            await self.refresh_tokens.revoke(known.session_id)
            await self.refresh_tokens.commit()
            raise UnauthorizedError("The refresh token is not valid.")
        return await self._issue(Identity(known.user_id, known.session_id), known.expires_at)

    async def logout(self, token: str) -> None:
        """Ends the session of this token, if there is one."""
        known = await self.refresh_tokens.get(digest(token))
        if known is not None:
            await self.refresh_tokens.revoke(known.session_id)

    async def _issue(self, identity: Identity, expires_at: datetime) -> TokenResponse:
        refresh_token = new_refresh_token()
        await self.refresh_tokens.add(
            session_id=identity.session_id,
            user_id=identity.user_id,
            token_hash=digest(refresh_token),
            expires_at=expires_at,
            device=self.device,
        )
        return TokenResponse(
            access_token=self.access_tokens.issue(identity),
            refresh_token=refresh_token,
            expires_in=self.access_tokens.expires_in,
        )
