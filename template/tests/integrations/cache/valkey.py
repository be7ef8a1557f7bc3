"""Runs a Valkey server that a test may stop, start and freeze."""

from contextlib import ExitStack
from pathlib import Path

import psutil
from redis import Redis

from scripts.local_valkey import local_valkey
from scripts.ports import free_port


class Valkey:
    def __init__(self, data: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._data = data
        self._running = ExitStack()

    def start(self) -> None:
        self._running.enter_context(local_valkey(self._data, self.port))
        with Redis(port=self.port) as client:
            self.process = psutil.Process(client.info("server")["process_id"])

    def stop(self) -> None:
        self._running.close()

    def freeze(self) -> None:
        self.process.suspend()

    def thaw(self) -> None:
        self.process.resume()
