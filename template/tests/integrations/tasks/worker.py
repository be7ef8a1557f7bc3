"""A real worker in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STOP_TIMEOUT = 30.0


class Worker:
    """What it does, and what it said."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    def lines(self, message: str) -> list[dict[str, Any]]:
        """The lines of its log that say this."""
        written, _, _ = self._log.read_text(encoding="utf-8").rpartition("\n")
        lines = [json.loads(line) for line in written.splitlines()]
        return [line for line in lines if line["message"] == message]

    def done(self, job: str) -> list[dict[str, Any]]:
        return [line for line in self.lines("job") if line["job"] == job]


@contextmanager
def running_worker(database_url: str, cache_url: str, log: Path, **environment: str) -> Iterator[Worker]:
    """A worker on this database and this broker, with these settings."""
    settings = {"DATABASE_URL": database_url, "CACHE_URL": cache_url} | environment
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "app.worker"], env=os.environ | settings, stdout=output)
    try:
        yield Worker(process, log)
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT)
