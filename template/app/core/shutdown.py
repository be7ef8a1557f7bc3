"""Announces the end of this process in advance, so that a load balancer can first stop sending requests to it."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Shutdown:
    """Announces and delays the end of the process. There is one instance per process."""

    def __init__(self, delay: float) -> None:
        self.is_announced = False
        self._delay = delay

    @contextmanager
    def announced(self) -> Iterator[None]:
        """Within the block, SIGTERM reaches the server only after `delay` seconds, but a second SIGTERM at once."""
        stop_server = signal.getsignal(signal.SIGTERM)
        in_main_thread = threading.current_thread() is threading.main_thread()
        if not (self._delay and in_main_thread and callable(stop_server)):
            yield
            return
        loop = asyncio.get_running_loop()

        def announce(number: int, frame: FrameType | None) -> None:
            delay = 0 if self.is_announced else self._delay
            self.is_announced = True
            loop.call_soon_threadsafe(loop.call_later, delay, stop_server, number, frame)

        signal.signal(signal.SIGTERM, announce)
        yield
        signal.signal(signal.SIGTERM, stop_server)
