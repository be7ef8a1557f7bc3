"""Sends e-mails about the events of an account."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.device import Device
from app.core.exceptions import ForbiddenError
from app.domain.models.base import utc_now
from app.domain.models.user import User
from app.integrations.mail.messages import Invitation, PasswordChanged, SignedIn, VerifyEmail
from app.repository.outbox_repository import put_message
from app.repository.refresh_token_repository import RefreshTokenRepository
from app.service.account_events import AccountEvents


class MailedAccountEvents(AccountEvents):
    """Puts an e-mail into the outbox for each event, in the transaction of the event."""

    def __init__(self, session: AsyncSession, settings: Settings) -> None:
        self.session = session
        self.settings = settings

    async def registered(self, user: User) -> None:
        """Sends a link to verify the address."""
        await put_message(self.session, VerifyEmail(user_id=user.id))

    async def invited(self, user: User) -> None:
        """Sends a link to choose a password."""
        await put_message(self.session, Invitation(user_id=user.id))

    async def password_changed(self, user: User) -> None:
        """Notifies the user, in case somebody else changed the password."""
        await put_message(self.session, PasswordChanged(user_id=user.id))

    async def signing_in(self, user: User, device: Device) -> None:
        """Notifies the user of a new device. Raises ForbiddenError if the address must be verified first."""
        if self.settings.REQUIRE_VERIFIED_EMAIL and user.email_verified_at is None:
            raise ForbiddenError(
                "Verify your e-mail address first: use the link that was sent to it, or reset your password."
            )
        if self.settings.SIGN_IN_NOTICE and not await self._is_known(user, device):
            notice = SignedIn(user_id=user.id, at=utc_now(), user_agent=device.user_agent, client=device.client)
            await put_message(self.session, notice)

    async def _is_known(self, user: User, device: Device) -> bool:
        """Returns whether the user has a session on such a device."""
        sessions = await RefreshTokenRepository(self.session).list_current(user.id)
        return device.user_agent in {session.user_agent for session in sessions}
