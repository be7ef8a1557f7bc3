"""The rules about the links in e-mails."""

from app.core.exceptions import ForbiddenError
from app.core.passwords import hash_password, verify_password
from app.domain.models.base import utc_now
from app.domain.models.user import User
from app.integrations.mail.limits import MailLimiter
from app.integrations.mail.links import Link, Links, Purpose, not_valid, state_of
from app.integrations.mail.messages import ConfirmEmail, EmailChanged, MailMessage, ResetPassword, VerifyEmail
from app.integrations.mail.schemas import EmailChange, LinkedPassword
from app.repository.refresh_token_repository import RefreshTokenRepository
from app.repository.user_repository import UserRepository
from app.service.account_events import AccountEvents


class AccountService:
    """Sends links, and carries out what they are for."""

    def __init__(
        self,
        users: UserRepository,
        refresh_tokens: RefreshTokenRepository,
        events: AccountEvents,
        links: Links,
        mails: MailLimiter,
    ) -> None:
        self.users = users
        self.refresh_tokens = refresh_tokens
        self.events = events
        self.links = links
        self.mails = mails

    async def forgot_password(self, email: str) -> None:
        """Sends a link to this address if a user has it. The response and the work are the same if nobody has."""
        await self._send(ResetPassword(email=email), email)

    async def reset_password(self, data: LinkedPassword) -> None:
        """Sets the password, verifies the address and ends every session of the user. Raises UnauthorizedError."""
        link = self.links.read(data.token, Purpose.RESET, Purpose.INVITATION)
        password_hash = await hash_password(data.new_password)
        user = await self._lock(link)
        verified_at = user.email_verified_at or utc_now()
        await self.users.update(user.id, password_hash=password_hash, email_verified_at=verified_at)
        await self.refresh_tokens.revoke_all(user.id)
        await self.events.password_changed(user)

    async def send_verification(self, user: User) -> None:
        """Sends another link to the address of the user."""
        await self._send(VerifyEmail(user_id=user.id), user.email)

    async def verify_email(self, token: str) -> None:
        """Marks the address of the user as verified. Raises UnauthorizedError."""
        user = await self._lock(self.links.read(token, Purpose.VERIFY))
        if user.email_verified_at is not None:
            raise not_valid()
        await self.users.update(user.id, email_verified_at=utc_now())

    async def change_email(self, user: User, data: EmailChange) -> None:
        """Sends a link to the new address. Raises ForbiddenError when the current password is wrong."""
        if not await verify_password(data.current_password, user.password_hash):
            raise ForbiddenError("The current password is wrong.")
        mail = ConfirmEmail(user_id=user.id, new_email=data.new_email, state=state_of(user))
        await self._send(mail, data.new_email)

    async def confirm_email(self, token: str) -> None:
        """Replaces the address, and notifies the old one. Raises UnauthorizedError, ConflictError if it is taken."""
        link = self.links.read(token, Purpose.CONFIRM)
        user = await self._lock(link)
        old_email = user.email
        await self.users.update(user.id, email=link.email, email_verified_at=utc_now())
        await self.users.put_message(EmailChanged(user_id=user.id, old_email=old_email))

    async def _send(self, mail: MailMessage, address: str) -> None:
        if await self.mails.may_get(address):
            await self.users.put_message(mail)

    async def _lock(self, link: Link) -> User:
        """Returns the user of the link, locked until the end of the transaction so that a link works once.

        Raises UnauthorizedError if the link is no longer valid.
        """
        user = await self.users.lock(link.user_id, alone=True)
        if user is None or not link.fits(user):
            raise not_valid()
        return user
