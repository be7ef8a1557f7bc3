import asyncio
import signal
from collections.abc import Iterator

import pytest

from app.core.shutdown import Shutdown


@pytest.fixture
def stops() -> Iterator[list[int]]:
    """Yields a list of the signals that reach the server."""
    arrived: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: arrived.append(number))
    yield arrived
    signal.signal(signal.SIGTERM, before)


async def until_it_stops(stops: list[int]) -> None:
    for _ in range(600):
        if stops:
            break
        await asyncio.sleep(0.05)
    assert stops == [signal.SIGTERM]


async def test_the_end_is_announced_before_the_server_hears_of_it(stops: list[int]) -> None:
    shutdown = Shutdown(0.1)
    with shutdown.announced():
        signal.raise_signal(signal.SIGTERM)

        assert shutdown.is_announced
        assert stops == []
        await until_it_stops(stops)


async def test_who_asks_twice_does_not_wait(stops: list[int]) -> None:
    with Shutdown(3600).announced():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        await until_it_stops(stops)


async def test_without_a_delay_the_server_hears_it_at_once(stops: list[int]) -> None:
    with Shutdown(0).announced():
        signal.raise_signal(signal.SIGTERM)

        assert stops == [signal.SIGTERM]
