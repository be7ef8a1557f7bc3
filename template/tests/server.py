"""Runs a real server in a process of its own, for what an in-process client cannot show."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import httpx2

from scripts.ports import free_port
from tests.api import PREFIX

START_ATTEMPTS = 600
STOP_TIMEOUT = 100.0


@dataclass(frozen=True)
class Server:
    """A running server: its port and its process."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        """The address of its API."""
        return f"{self.origin}{PREFIX}"


@contextmanager
def running_server(database_url: str, output: BinaryIO | None = None, /, **environment: str) -> Iterator[Server]:
    """Yields a server with this database and these settings, whose log goes to `output`."""
    port = free_port()
    settings = {"DATABASE_URL": database_url, "PORT": str(port)} | environment
    process = subprocess.Popen([sys.executable, "-m", "app"], env=os.environ | settings, stdout=output)
    server = Server(port, process)
    try:
        wait_for(f"{server.address}/health")
        yield server
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT)


def wait_for(address: str) -> None:
    """Waits until this address responds successfully.

    It counts attempts, not seconds, so that a machine that stands still for a minute uses none of them up.
    """
    for attempt in range(START_ATTEMPTS):
        try:
            httpx2.get(address).raise_for_status()
        except httpx2.TransportError:
            if attempt == START_ATTEMPTS - 1:
                raise
            time.sleep(0.1)
        else:
            return
