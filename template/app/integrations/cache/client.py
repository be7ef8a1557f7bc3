"""The cache, shared by all processes. Nothing but speed may depend on it: it can be empty or gone at any moment."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Protocol
from uuid import uuid4

from loguru import logger
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.core.config import Settings

# In seconds. During an outage, only one request in this time tries the cache.
PAUSE = 1.0
MAXIMUM_CONNECTIONS = 50

# Seconds for which an entry is kept. They bound how long an entry is stale if it could not be invalidated.
LIFETIME = 60
# How long a reader may take to read a value and store it, in seconds.
LEASE_LIFETIME = 5
LEASE = b"lease:"

# Atomic: the value is stored only in place of the lease that its reader holds.
FILL = """
if redis.call("GET", KEYS[1]) == ARGV[1] then
    redis.call("SET", KEYS[1], ARGV[2], "EX", ARGV[3])
end
"""

OUTAGES = (RedisError, OSError, TimeoutError)


class CacheUnavailableError(Exception):
    """Raised when the cache fails, or does not respond in time."""


class Codec[Value](Protocol):
    """Converts a value to the bytes that are kept, and back."""

    def dump(self, value: Value) -> bytes:
        """Returns the bytes to keep."""

    def load(self, kept: bytes) -> Value:
        """Returns the value. Raises ValueError for what `dump` did not write."""


class Cache:
    """The cache. A process has one instance, with one pool of connections, and connects when it is first used."""

    def __init__(self, settings: Settings) -> None:
        self._timeout = settings.CACHE_TIMEOUT
        self.pool = BlockingConnectionPool.from_url(
            settings.cache_url,
            max_connections=MAXIMUM_CONNECTIONS,
            timeout=self._timeout,
            socket_connect_timeout=self._timeout,
            socket_timeout=self._timeout,
            retry=Retry(NoBackoff(), retries=1),  # for a connection that the server has closed meanwhile
        )
        self._client = Redis(connection_pool=self.pool)
        self._fill = self._client.register_script(FILL)
        self._is_down = False
        self._next_attempt = 0.0

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()
        await self.pool.disconnect()

    @asynccontextmanager
    async def in_time(self) -> AsyncIterator[Redis]:
        """Yields the client for one command. Raises CacheUnavailableError in time, or at once during a known outage."""
        if self._is_down:
            if monotonic() < self._next_attempt:
                raise CacheUnavailableError
            self._next_attempt = monotonic() + PAUSE
        try:
            async with asyncio.timeout(self._timeout):
                yield self._client
        except OUTAGES as error:
            self._next_attempt = monotonic() + PAUSE
            self._say(error)
            raise CacheUnavailableError from error
        self._say(None)

    def _say(self, error: Exception | None) -> None:
        """Logs the beginning and the end of an outage, and nothing between them."""
        was_down, self._is_down = self._is_down, error is not None
        if error is not None and not was_down:
            logger.bind(error=type(error).__name__).error("the cache is not available")
        if error is None and was_down:
            logger.info("the cache is available again")

    async def ping(self) -> None:
        """Raises if the cache does not respond."""
        async with self.in_time() as client:
            await client.ping()

    async def read_through[Value](
        self, key: str, codec: Codec[Value], read: Callable[[], Awaitable[Value | None]]
    ) -> Value | None:
        """Returns the value that is kept under the key, or else the result of `read`, which is then kept.

        A reader that finds nothing leaves a lease, and stores its value only in place of that lease; `forget` removes
        either. So a value that was read before a change cannot be stored after `forget`, however late its reader is.
        """
        lease = LEASE + uuid4().bytes
        try:
            async with self.in_time() as client:
                before = await client.set(key, lease, nx=True, get=True, ex=LEASE_LIFETIME)
        except CacheUnavailableError:
            return await read()
        kept = before if isinstance(before, bytes) else None
        if kept is not None and not kept.startswith(LEASE):
            with suppress(ValueError):  # another version of the application wrote it: it is useless until it expires
                return codec.load(kept)
        value = await read()
        if kept is None and value is not None:
            with suppress(CacheUnavailableError):
                async with self.in_time():
                    await self._fill([key], [lease, codec.dump(value), LIFETIME])
        return value

    async def forget(self, key: str) -> None:
        """Invalidates the key. Call it after the commit and before responding.

        It is tried even during a known outage. If it fails, an existing entry stays for `LIFETIME` at most.
        """
        self._next_attempt = 0
        with suppress(CacheUnavailableError):
            async with self.in_time() as client:
                await client.delete(key)
