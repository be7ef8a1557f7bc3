"""What happens around an account: an integration may follow it up."""

from app.core.device import Device
from app.domain.models.user import User


class AccountEvents:
    """Told within the transaction of each event. This one does nothing; the option `mail` sends mails."""

    async def registered(self, user: User) -> None:
        """Somebody created an account of their own."""

    async def invited(self, user: User) -> None:
        """An administrator created a user who has no password yet."""

    async def password_changed(self, user: User) -> None:
        """The user has a new password."""

    async def signing_in(self, user: User, device: Device) -> None:
        """The user has shown the right password. Raises ForbiddenError if they may not sign in yet."""
