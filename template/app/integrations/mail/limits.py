"""Limits how many e-mails a client can have sent, and how many an address gets."""

from limits.aio.storage import Storage

from app.core.config import Settings
from app.core.rate_limit import Limiter
from app.core.security import digest


class MailLimiter(Limiter):
    """Limits the e-mails that a client asks for, and those that an address gets from all clients together."""

    def __init__(self, settings: Settings, storage: Storage) -> None:
        super().__init__("mail", settings.MAIL_RATE_LIMIT, storage)

    async def may_get(self, address: str) -> bool:
        """Counts an e-mail to this address, and returns whether it is within the limit."""
        return await self._limiter.hit(self._limit, "mailed", digest(address))
