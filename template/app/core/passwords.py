"""Password hashing: Argon2id, in threads, a few at a time."""

import os
from collections.abc import Callable
from functools import cache

from anyio import CapacityLimiter, fail_after, to_thread
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app.core.exceptions import ServiceUnavailableError

# OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane.
_hasher = PasswordHash([Argon2Hasher(memory_cost=19 * 1024, time_cost=2, parallelism=1)])

# Each running hash holds its memory and a core; more at once would only make all of them late.
_slots = CapacityLimiter(min(4, os.cpu_count() or 1))
SLOT_TIMEOUT = 10


async def hash_password(password: str) -> str:
    """Returns the hash. Raises ServiceUnavailableError when no slot gets free within `SLOT_TIMEOUT` seconds."""
    return await _in_slot(lambda: _hasher.hash(password))


async def verify_password(password: str, password_hash: str | None) -> bool:
    """Returns whether the password matches the hash. Without a hash, it returns False after the same time.

    Raises ServiceUnavailableError when no slot gets free within `SLOT_TIMEOUT` seconds.
    """
    matches = await _in_slot(lambda: _hasher.verify(password, password_hash or _hash_of_nothing()))
    return matches and password_hash is not None


@cache
def _hash_of_nothing() -> str:
    return _hasher.hash("")


async def _in_slot[Result](work: Callable[[], Result]) -> Result:
    try:
        with fail_after(SLOT_TIMEOUT):
            await _slots.acquire()
    except TimeoutError:
        raise ServiceUnavailableError("Too many sign-ins at once.", retry_after=SLOT_TIMEOUT) from None
    try:
        return await to_thread.run_sync(work)
    finally:
        _slots.release()
