"""What follows from events around an account."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.device import Device
from app.core.exceptions import ForbiddenError
from app.domain.models.base import utc_now
from app.domain.models.user import User
from app.integrations.mail.known_device_repository import KnownDeviceRepository
from app.integrations.mail.messages import Invitation, PasswordChanged, SignedIn, VerifyEmail
from app.repository.outbox_repository import put_message
from app.service.account_events import AccountEvents


class MailedAccountEvents(AccountEvents):
    """Has a mail sent about each, once the transaction is committed."""

    def __init__(self, session: AsyncSession, settings: Settings) -> None:
        self.session = session
        self.settings = settings

    async def registered(self, user: User) -> None:
        """Asks the user to verify the address."""
        await put_message(self.session, VerifyEmail(user_id=user.id))

    async def invited(self, user: User) -> None:
        """Asks the user to choose a password."""
        await put_message(self.session, Invitation(user_id=user.id))

    async def password_changed(self, user: User) -> None:
        """Tells the user, who may not have been the one."""
        await put_message(self.session, PasswordChanged(user_id=user.id))

    async def signing_in(self, user: User, device: Device) -> None:
        """Tells the user of a new device. Raises ForbiddenError if the address has to be verified first."""
        if self.settings.REQUIRE_VERIFIED_EMAIL and user.email_verified_at is None:
            raise ForbiddenError("Verify your e-mail address first, by the link in the mail or by a new password.")
        if self.settings.SIGN_IN_NOTICE and not await KnownDeviceRepository(self.session).is_known(user.id, device):
            told = SignedIn(user_id=user.id, at=utc_now(), user_agent=device.user_agent, client=device.client)
            await put_message(self.session, told)
