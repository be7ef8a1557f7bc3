"""Creates the tests' databases beside the file of TEST_DATABASE_URL, or else in a folder that is removed afterwards."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from app.core.config import Settings

# The accepted forms of a URL, and the form that is used.
URL = "sqlite+aiosqlite:////data/app.db"
URLS = {
    "sqlite:////data/app.db": URL,
    "SQLite+pysqlite:////data/app.db": URL,
    URL: URL,
    "sqlite:///app.db": "sqlite+aiosqlite:///app.db",
    "sqlite:///app.db?timeout=1": "sqlite+aiosqlite:///app.db?timeout=1",
}
# URLs that cannot be used, and what the refusal must name.
WRONG_URLS = {
    "mysql://a:hunter2@c/d": "sqlite:///",
    "sqlite://": "sqlite:///",
    "sqlite:///:memory:": "sqlite:///",
    "sqlite:///app.db?password=hunter2": "password",
}

# This cannot run inside of a transaction.
ALONE = "VACUUM"

# Inserts of users succeed, the commit after them fails, and the client gets this status.
REFUSED = 409
REFUSE_COMMITS = (
    "CREATE TABLE refused (id INTEGER PRIMARY KEY, other INTEGER REFERENCES refused DEFERRABLE INITIALLY DEFERRED)",
    "CREATE TRIGGER refuse AFTER INSERT ON users BEGIN INSERT INTO refused (other) VALUES (-1); END",
)
ALLOW_COMMITS = ("DROP TRIGGER refuse", "DROP TABLE refused")

# Users of fuzz.example.com cannot be locked out: an attempt is a conflict, and their passwords and sessions stay.
KEEP_USERS = (
    "CREATE TRIGGER keep_user BEFORE UPDATE ON users WHEN OLD.email LIKE '%@fuzz.example.com' AND "
    "(NEW.role <> OLD.role OR NEW.is_active <> OLD.is_active OR NEW.deleted_at IS NOT NULL) "
    "BEGIN SELECT RAISE(ABORT, 'kept'); END",
    "CREATE TRIGGER keep_password AFTER UPDATE OF password_hash ON users WHEN OLD.email LIKE '%@fuzz.example.com' "
    "AND NEW.password_hash <> OLD.password_hash "
    "BEGIN UPDATE users SET password_hash = OLD.password_hash WHERE id = OLD.id; END",
    "CREATE TRIGGER keep_session BEFORE UPDATE ON refresh_tokens BEGIN SELECT RAISE(IGNORE); END",
)


def start(stack: ExitStack) -> str:
    """Creates a folder that is removed with the stack, and returns the URL of a database in it."""
    directory = tempfile.mkdtemp(prefix="sqlite-")
    stack.callback(shutil.rmtree, directory, ignore_errors=True)
    return f"sqlite:///{directory}/test.db"


def unreachable() -> str:
    """Returns the URL of a database that does not exist."""
    return "sqlite+aiosqlite:////nowhere/none.db"


async def create(name: str) -> str:
    """Creates an empty database, and returns its URL."""
    url = make_url(Settings(DATABASE_URL=os.environ["TEST_DATABASE_URL"]).database_url)
    return url.set(database=f"{url.database}_{name}_{os.getpid()}").render_as_string()


async def drop(url: str) -> None:
    for suffix in ("", "-wal", "-shm", "-migration"):
        Path(f"{make_url(url).database}{suffix}").unlink(missing_ok=True)  # noqa: ASYNC240 (nothing else runs)


@dataclass(frozen=True)
class Service:
    """A database for one suite."""

    url: str


@contextmanager
def service() -> Iterator[Service]:
    with tempfile.TemporaryDirectory(prefix="sqlite-") as directory:
        yield Service(f"sqlite+aiosqlite:///{directory}/app.db")
