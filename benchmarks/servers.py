"""Starts the three applications under uvicorn, with one worker each, on its own core if the system allows it."""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psutil

from scripts.demo import free_port

APPS = Path(__file__).with_name("apps")
START_TIMEOUT = 60.0
STOP_TIMEOUT = 20.0
HEALTH = "/api/v1/health"

PRODUCTION = {
    "ENVIRONMENT": "production",
    # Nothing that is measured sends e-mails.
    "SMTP_URL": "",
    "SHUTDOWN_DELAY": "0",
    "ACCESS_TOKEN_EXPIRE_MINUTES": "120",
    # As in the image.
    "MALLOC_MMAP_THRESHOLD_": "1048576",
}


@dataclass(frozen=True)
class Server:
    """A server that runs, and the seconds until its first response."""

    name: str
    address: str
    process: psutil.Process = field(repr=False)
    seconds_to_start: float

    @property
    def workers(self) -> Sequence[psutil.Process]:
        """Returns the process itself, or its child processes."""
        return self.process.children() or [self.process]

    def cpu(self) -> float:
        """Returns the CPU time of all workers so far, in seconds."""
        return sum(sum(worker.cpu_times()[:2]) for worker in self.workers)

    def memory(self) -> float:
        """Returns the memory of the largest worker, in megabytes."""
        return max(worker.memory_info().rss for worker in self.workers) / 1e6


@contextmanager
def serving(name: str, log: Path, *, workers: int = 1, cores: Sequence[int] = ()) -> Iterator[Server]:
    """Starts a server: `backend`, in the current folder, or one of the apps here. Its log goes into a file."""
    port = free_port()
    environment = os.environ | PRODUCTION | {"PORT": str(port), "WEB_CONCURRENCY": str(workers)}
    start = time.perf_counter()
    with log.open("ab") as output:
        process = psutil.Popen(_command(name, port, workers), env=environment, stdout=output, stderr=output)
    try:
        if cores:
            process.cpu_affinity(list(cores))
        address = f"http://127.0.0.1:{port}"
        _wait(process, address + HEALTH, log)
        yield Server(name, address, process, time.perf_counter() - start)
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT)


def _command(name: str, port: int, workers: int) -> list[str]:
    if name == "backend":
        return [".venv/bin/python", "-m", "app"]
    options = ["--port", str(port), "--workers", str(workers), "--no-access-log", "--log-level", "warning"]
    return [".venv/bin/python", "-m", "uvicorn", "--app-dir", str(APPS), f"{name}:app", *options]


def _wait(process: psutil.Popen, address: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        try:
            httpx2.get(address)
        except httpx2.TransportError:
            if process.poll() is not None:
                sys.exit(f"The server ended while it started:\n{log.read_text(encoding='utf-8')[-2000:]}")
            time.sleep(0.01)
        else:
            return
    sys.exit(f"The server did not answer within {START_TIMEOUT:g} seconds.")


def log_in(server: Server, credentials: Mapping[str, str]) -> str:
    """Returns an access token. Raises HTTPStatusError if the server refuses the credentials."""
    response = httpx2.post(f"{server.address}/api/v1/auth/login", data=dict(credentials), timeout=30)
    token: str = response.raise_for_status().json()["access_token"]
    return token
