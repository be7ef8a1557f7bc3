"""A real server in a process of its own, for what an in-process client cannot show."""

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

START_TIMEOUT = 60.0


@dataclass(frozen=True)
class Server:
    """Where its API is, and what may be done to it."""

    address: str
    process: subprocess.Popen[bytes]


@contextmanager
def running_server(database_url: str, output: BinaryIO | None = None, /, **environment: str) -> Iterator[Server]:
    """A server on this database, with these settings, which logs there."""
    port = free_port()
    settings = {"DATABASE_URL": database_url, "PORT": str(port)} | environment
    process = subprocess.Popen([sys.executable, "-m", "app"], env=os.environ | settings, stdout=output)
    try:
        address = f"http://127.0.0.1:{port}/api/v1"
        wait_for(f"{address}/health")
        yield Server(address, process)
    finally:
        process.terminate()
        process.wait(START_TIMEOUT)


def wait_for(address: str) -> None:
    """Until there is a response at this address, which must be a good one."""
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            httpx2.get(address).raise_for_status()
        except httpx2.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
