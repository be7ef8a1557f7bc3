from typing import Annotated

from pydantic import Field

from app.domain.schemas.base import RequestModel, Storable
from app.domain.schemas.user import MAXIMUM_PASSWORD_LENGTH, Email, Password

LinkToken = Annotated[
    str,
    Field(
        max_length=1000,
        pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$",
        description="What follows `#token=` in the link.",
    ),
]


class ForgottenPassword(RequestModel):
    """The address of somebody who has forgotten their password."""

    email: Email


class LinkedToken(RequestModel):
    """The token of a link."""

    token: LinkToken


class LinkedPassword(LinkedToken):
    """The token of a link, and the new password."""

    new_password: Password


class EmailChange(RequestModel):
    """A new address, and the current password, since whoever controls the address controls the account."""

    new_email: Email
    current_password: Annotated[str, Field(max_length=MAXIMUM_PASSWORD_LENGTH), Storable]
