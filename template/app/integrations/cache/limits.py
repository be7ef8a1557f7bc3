"""Counts for the rate limits that all processes share."""

from typing import Any

from limits.aio.storage import MemoryStorage, RedisStorage

from app.integrations.cache.client import Cache, CacheUnavailableError


class SharedStorage(RedisStorage):
    """Counts in the cache; while that is down, in the memory of each process, so that a limit still holds in each."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._own = MemoryStorage()
        options: dict[str, Any] = {"connection_pool": cache.pool}
        super().__init__("async+redis://", implementation="redispy", **options)

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Counts one more, unless the limit is reached. Returns whether it was counted."""
        try:
            async with self._cache.in_time():
                return await super().acquire_entry(key, limit, expiry, amount)
        except CacheUnavailableError:
            return await self._own.acquire_entry(key, limit, expiry, amount)

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Returns when the window began, and how many entries it has."""
        try:
            async with self._cache.in_time():
                return await super().get_moving_window(key, limit, expiry)
        except CacheUnavailableError:
            return await self._own.get_moving_window(key, limit, expiry)
