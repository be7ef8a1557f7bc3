"""Waits for something to happen.

It counts attempts, not seconds, so that a machine that stands still for a minute uses none of them up.
"""

import asyncio
import time
from collections.abc import Callable

ATTEMPTS = 1200
PAUSE = 0.05


async def until(condition: Callable[[], bool]) -> None:
    """Waits until the condition is true. Raises TimeoutError if it does not become true."""
    for _ in range(ATTEMPTS):
        if condition():
            return
        await asyncio.sleep(PAUSE)
    raise TimeoutError


def block_until(condition: Callable[[], bool]) -> None:
    """Does the same in a test without an event loop."""
    for _ in range(ATTEMPTS):
        if condition():
            return
        time.sleep(PAUSE)
    raise TimeoutError
