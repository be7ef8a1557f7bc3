"""The messages of the outbox that become e-mails. None holds a token or a link."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.messages import Message


class MailMessage(Message):
    """An e-mail to send. Its kind has a prefix, so that a message of your own may have the same name."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(kind=f"mail.{cls.__name__}", **options)


class ResetPassword(MailMessage):
    """A link for a new password, to an address that may belong to nobody."""

    email: str


class VerifyEmail(MailMessage):
    """A link to verify the address of a user."""

    user_id: UUID


class ConfirmEmail(MailMessage):
    """A link to confirm a new address, sent to it.

    `state` is the result of `state_of` when the user asked: a late e-mail must not work after a new password is set.
    """

    user_id: UUID
    new_email: str
    state: str


class EmailChanged(MailMessage):
    """A notice of the change, to the old address."""

    user_id: UUID
    old_email: str


class Invitation(MailMessage):
    """A link for the first password of a user."""

    user_id: UUID


class PasswordChanged(MailMessage):
    """A notice of a changed password."""

    user_id: UUID


class SignedIn(MailMessage):
    """A notice of a sign-in with a new device."""

    user_id: UUID
    at: datetime
    user_agent: str | None
    client: str | None
