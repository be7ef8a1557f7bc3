"""Sends the e-mails that wait in the outbox. Links are made here, so that none is stored."""

from uuid import UUID

from app.domain.models.user import User
from app.integrations.mail.letters import letter
from app.integrations.mail.links import Links, Purpose, state_of
from app.integrations.mail.messages import (
    ConfirmEmail,
    EmailChanged,
    Invitation,
    MailMessage,
    PasswordChanged,
    ResetPassword,
    SignedIn,
    VerifyEmail,
)
from app.integrations.mail.smtp import send
from app.repository.user_repository import UserRepository
from app.service.handlers import Delivery, handles

# The kinds of messages that this module handles.
HANDLED = {kind.kind for kind in MailMessage.__subclasses__()}


@handles(ResetPassword)
async def send_reset(message: ResetPassword, delivery: Delivery) -> None:
    """Sends a password reset link, if a user has this address."""
    if user := await _user(delivery, email=message.email):
        await _send_link(delivery, "reset_password", user, Purpose.RESET)


@handles(Invitation)
async def send_invitation(message: Invitation, delivery: Delivery) -> None:
    """Sends a link for the first password."""
    user = await _user(delivery, message.user_id)
    if user is not None and user.email_verified_at is None:
        await _send_link(delivery, "invitation", user, Purpose.INVITATION)


@handles(VerifyEmail)
async def send_verification(message: VerifyEmail, delivery: Delivery) -> None:
    """Sends a link that verifies the address, unless it is verified already."""
    user = await _user(delivery, message.user_id)
    if user is not None and user.email_verified_at is None:
        await _send_link(delivery, "verify_email", user, Purpose.VERIFY)


@handles(ConfirmEmail)
async def send_confirmation(message: ConfirmEmail, delivery: Delivery) -> None:
    """Sends a link to the new address, unless somebody has it, or the user has changed since they asked."""
    user = await _user(delivery, message.user_id)
    if user is None or state_of(user) != message.state:
        return
    if await _user(delivery, email=message.new_email) is None:
        await _send_link(delivery, "confirm_email", user, Purpose.CONFIRM, email=message.new_email)


@handles(EmailChanged)
async def notify_of_email(message: EmailChanged, delivery: Delivery) -> None:
    """Notifies the old address that the account no longer uses it."""
    if user := await _user(delivery, message.user_id):
        await _send(delivery, "email_changed", message.old_email, user)


@handles(PasswordChanged)
async def notify_of_password(message: PasswordChanged, delivery: Delivery) -> None:
    """Notifies the user of a changed password."""
    if user := await _user(delivery, message.user_id):
        await _send(delivery, "password_changed", user.email, user)


@handles(SignedIn)
async def notify_of_device(message: SignedIn, delivery: Delivery) -> None:
    """Notifies the user of a new device."""
    if user := await _user(delivery, message.user_id):
        device = {"at": message.at, "user_agent": message.user_agent, "client": message.client}
        await _send(delivery, "signed_in", user.email, user, **device)


async def _user(delivery: Delivery, user_id: UUID | None = None, *, email: str = "") -> User | None:
    """Returns the user if there is one and it is active."""
    async with delivery.database.reading() as session:
        users = UserRepository(session)
        user = await (users.get_by_email(email) if user_id is None else users.get(user_id))
        return user if user is not None and user.is_active else None


async def _send_link(
    delivery: Delivery, template: str, user: User, purpose: Purpose, *, email: str | None = None
) -> None:
    links = Links(delivery.settings)
    lifetime = links.lifetime(purpose)
    link = links.make(purpose, user, email=email)
    await _send(delivery, template, email or user.email, user, link=link, lifetime=lifetime)


async def _send(delivery: Delivery, template: str, to: str, user: User, **values: object) -> None:
    message = letter(delivery.settings, to, template, name=user.full_name, **values)
    # The ID is the same for each delivery, so that a mailbox can recognise duplicates.
    message["Message-ID"] = f"<{delivery.id}.{template}@{delivery.settings.MAIL_FROM.email.rpartition('@')[2]}>"
    await send(delivery.settings, message, to)
