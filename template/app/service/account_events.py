"""The events of an account, to which an integration may react."""

from app.core.device import Device
from app.domain.models.user import User


class AccountEvents:
    """Methods called within the transaction of each event. This class does nothing; the option `mail` sends e-mails."""

    async def registered(self, user: User) -> None:
        """Called after somebody has registered."""

    async def invited(self, user: User) -> None:
        """Called after an administrator has created a user without a password."""

    async def password_changed(self, user: User) -> None:
        """Called after the password of the user was changed."""

    async def signing_in(self, user: User, device: Device) -> None:
        """Called before a session begins. Raises ForbiddenError if the user may not sign in yet."""
