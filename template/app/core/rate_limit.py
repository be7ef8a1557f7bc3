"""Limits how often a client may try passwords or create accounts."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv6Address, ip_network

from limits import parse
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter

from app.core.config import Settings
from app.core.exceptions import ForbiddenError, TooManyRequestsError, UnauthorizedError
from app.core.settings.addresses import plain

# The errors for a wrong password, at sign-in and where a session asks for it again.
WRONG_GUESS = (UnauthorizedError, ForbiddenError)

# The network that one household or office gets, in which further addresses cost nothing.
IPV6_PREFIX = 64


class Limiter:
    """Limits how often each client may do one thing. There is one instance per process.

    `limit` is in the notation of the package `limits`. `storage` may be shared with other processes; without it, counts
    are in the memory of this one.
    """

    def __init__(self, counted: str, limit: str, storage: Storage | None = None) -> None:
        self._counted = counted
        self._limit = parse(limit)
        self._limiter = MovingWindowRateLimiter(storage or MemoryStorage())

    async def count(self, client: str) -> None:
        """Counts one attempt. Raises TooManyRequestsError if the limit was reached before."""
        if not await self._limiter.hit(self._limit, self._counted, _network(client)):
            raise await self._refusal(client)

    async def _refuse_exhausted(self, client: str) -> None:
        if not await self._limiter.test(self._limit, self._counted, _network(client)):
            raise await self._refusal(client)

    async def _refusal(self, client: str) -> TooManyRequestsError:
        window = await self._limiter.get_window_stats(self._limit, self._counted, _network(client))
        seconds = max(1, round(window.reset_time - time.time()))
        return TooManyRequestsError("Too many attempts.", retry_after=seconds)


class AttemptLimiter(Limiter):
    """Limits failed attempts to give a password."""

    def __init__(self, settings: Settings, storage: Storage | None = None) -> None:
        super().__init__("attempt", settings.LOGIN_RATE_LIMIT, storage)

    @asynccontextmanager
    async def attempt(self, client: str) -> AsyncIterator[None]:
        """Counts the block if it refuses the password. Raises TooManyRequestsError if the limit is reached."""
        await self._refuse_exhausted(client)
        try:
            yield
        except WRONG_GUESS:
            await self.count(client)
            raise
        # Check again: concurrent guesses must not succeed once the limit is reached.
        await self._refuse_exhausted(client)


class RegistrationLimiter(Limiter):
    """Limits attempts to create an account, successful or not."""

    def __init__(self, settings: Settings, storage: Storage | None = None) -> None:
        super().__init__("registration", settings.REGISTRATION_RATE_LIMIT, storage)


def _network(client: str) -> str:
    try:
        address = plain(client)
    except ValueError:
        return client
    return str(ip_network((address, IPV6_PREFIX), strict=False)) if isinstance(address, IPv6Address) else str(address)
