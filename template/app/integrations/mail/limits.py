"""Bounds how many mails somebody can have sent to others."""

from limits.aio.storage import Storage

from app.core.config import Settings
from app.core.rate_limit import Limiter
from app.core.security import digest


class MailLimiter(Limiter):
    """Of mails that a client asks for, and of those that an address gets, whoever asks."""

    def __init__(self, settings: Settings, storage: Storage) -> None:
        super().__init__("mail", settings.MAIL_RATE_LIMIT, storage)

    async def may_get(self, address: str) -> bool:
        """Counts a mail to this address, and returns whether it is within the limit."""
        return await self._limiter.hit(self._limit, "mailed", digest(address))
