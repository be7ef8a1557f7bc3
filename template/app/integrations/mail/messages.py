"""What the outbox carries of mails: whom each is for, and never a token or a link."""

from datetime import datetime
from uuid import UUID

from app.domain.messages import Message


class MailMessage(Message):
    """A mail to be sent. Without `SMTP_URL` it waits."""


class ResetPassword(MailMessage):
    """To whom may have forgotten their password; nobody has looked yet whether there is such a user."""

    email: str


class VerifyEmail(MailMessage):
    """To an address that the user has not verified."""

    user_id: UUID


class ConfirmEmail(MailMessage):
    """To the address that the user wants from now on."""

    user_id: UUID
    new_email: str


class EmailChanged(MailMessage):
    """To the address that the user had until now."""

    user_id: UUID
    old_email: str


class Invitation(MailMessage):
    """To a user without a password."""

    user_id: UUID


class PasswordChanged(MailMessage):
    """To a user whose password was changed."""

    user_id: UUID


class SignedIn(MailMessage):
    """To a user who has signed in with a device for the first time."""

    user_id: UUID
    at: datetime
    user_agent: str | None
    client: str | None
