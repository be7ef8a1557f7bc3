"""What the outbox carries of mails: whom each is for, and never a token or a link."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.messages import Message


class MailMessage(Message):
    """A mail to be sent. Without `SMTP_URL` it waits. Its kind leaves the name of the class to messages of yours."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(kind=f"mail.{cls.__name__}", **options)


class ResetPassword(MailMessage):
    """To whom may have forgotten their password; nobody has looked yet whether there is such a user."""

    email: str


class VerifyEmail(MailMessage):
    """To an address that the user has not verified."""

    user_id: UUID


class ConfirmEmail(MailMessage):
    """To the address that the user wants from now on.

    `state` is that of the user when they asked, as `state_of` has it: a link which is sent late must not outlive a new
    password.
    """

    user_id: UUID
    new_email: str
    state: str


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
