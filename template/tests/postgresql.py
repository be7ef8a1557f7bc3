"""Creates the tests' databases on the server of TEST_DATABASE_URL, or on a fresh one that is removed afterwards."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
from pydantic import SecretStr
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.core.config import Settings
from scripts.local_postgres import local_postgres
from scripts.ports import free_port

# The accepted forms of a URL, and the form that is used.
URL = "postgresql+asyncpg://a:b@c/d"
URLS = {
    "postgresql://a:b@c/d": URL,
    "postgres://a:b@c/d": URL,
    URL: URL,
    "POSTGRES://a:b@c/d": URL,
    "postgresql+psycopg2://a:b@c/d": URL,
    " postgresql://a:b@c/d\n": URL,
    "postgresql://a:p%23/w@c/d": "postgresql+asyncpg://a:p%23%2Fw@c/d",
    "postgresql://a:b@c/d?sslmode=require": f"{URL}?ssl=require",
    "postgresql://a:b@c/d?ssl=true": f"{URL}?ssl=require",
    "postgresql://a:b@c/d?sslmode=require&channel_binding=require&keepalives=1": f"{URL}?ssl=require",
    "postgresql://a:b@c/d?connect_timeout=10&application_name=x": f"{URL}?application_name=x&connect_timeout=10",
    "postgresql://a:b@c:5433,[::1]/d": "postgresql+asyncpg://a:b@/d?host=c%2C%3A%3A1&port=5433%2C5432",
    "postgresql://a:b@/d?host=c,e:1": "postgresql+asyncpg://a:b@/d?host=c%2Ce&port=5432%2C1",
    "postgresql://a:b@%2Frun%2Fx%3Ay:1/d": "postgresql+asyncpg://a:b@/d?host=%2Frun%2Fx%3Ay&port=1",
    "postgresql://a:b@localhost/d?host=/run/x:y": "postgresql+asyncpg://a:b@/d?host=%2Frun%2Fx%3Ay",
}
# URLs that cannot be used, and what the refusal must name.
WRONG_URLS = {
    "mysql://a:hunter2@c/d": "postgresql://",
    "postgresql://a:hunter2@c:hunter2/d": "postgresql://user",
    "postgresql://a:hunter2@c:1,e:hunter2/d": "postgresql://user",
    "postgresql://a:hunter2@c/d?pgbouncer=hunter2": "pgbouncer",
    "postgresql://a:hunter2@c/d?requirepeer=hunter2": "requirepeer",
    "postgresql://a:hunter2@c/d?sslmode=hunter2": "sslmode",
    "postgresql://a:hunter2@c/d?connect_timeout=hunter2": "connect_timeout",
    "postgresql://a:hunter2@c/d?gssencmode=require": "gssencmode",
}

# This cannot run inside of a transaction, and waits for every holder of a snapshot.
ALONE = "CREATE INDEX CONCURRENTLY alone ON users (email)"

# Inserts of users succeed, the commit after them fails, and the client gets this status.
REFUSED = 503
REFUSE_COMMITS = (
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'serialization_failure'; END $$",
    "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW EXECUTE FUNCTION refuse()",
)
ALLOW_COMMITS = ("DROP FUNCTION refuse CASCADE",)

# Users of fuzz.example.com cannot be locked out: an attempt is a conflict, and their passwords and sessions stay.
KEEP_USERS = (
    """
    CREATE FUNCTION keep_user() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.role <> OLD.role OR NEW.is_active <> OLD.is_active OR NEW.deleted_at IS NOT NULL THEN
        RAISE unique_violation;
      END IF;
      NEW.password_hash := OLD.password_hash;
      RETURN NEW;
    END $$
    """,
    "CREATE FUNCTION keep_session() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$",
    "CREATE TRIGGER keep BEFORE UPDATE ON users FOR EACH ROW WHEN (OLD.email LIKE '%@fuzz.example.com') "
    "EXECUTE FUNCTION keep_user()",
    "CREATE TRIGGER keep BEFORE UPDATE ON refresh_tokens FOR EACH ROW EXECUTE FUNCTION keep_session()",
)


def start(stack: ExitStack) -> str:
    """Starts a server that stops with the stack, and returns its URL."""
    directory = tempfile.mkdtemp(prefix="postgres-")
    stack.callback(shutil.rmtree, directory, ignore_errors=True)
    return stack.enter_context(local_postgres(Path(directory) / "data"))


def unreachable() -> str:
    """Returns the URL of a database that does not exist."""
    return f"postgresql+asyncpg://postgres@127.0.0.1:{free_port()}/none"


async def create(name: str) -> str:
    """Creates an empty database, and returns its URL."""
    server = make_url(Settings(DATABASE_URL=os.environ["TEST_DATABASE_URL"]).database_url)
    url = server.set(database=f"{server.database}_test_{name}_{os.getpid()}")
    await _administer(f'CREATE DATABASE "{url.database}"')
    return url.render_as_string(hide_password=False)


async def drop(url: str) -> None:
    await _administer(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)')


async def _administer(statement: str) -> None:
    url = Settings(DATABASE_URL=os.environ["TEST_DATABASE_URL"]).database_url
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.execute(text(statement))


class Service:
    """A server for one suite, which may freeze and crash it."""

    def __init__(self, data: Path, url: str) -> None:
        self.data = data
        self.url = Settings(DATABASE_URL=SecretStr(url)).database_url

    def processes(self) -> list[psutil.Process]:
        """Returns the postmaster and its children, any of which may end at any moment."""
        postmaster = psutil.Process(int((self.data / "postmaster.pid").read_text().splitlines()[0]))
        return [postmaster, *postmaster.children(recursive=True)]

    def freeze(self) -> None:
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self) -> None:
        for process in reversed(self.processes()):
            process.resume()

    def crash(self) -> None:
        """Kills one backend: PostgreSQL then ends all others, recovers and continues."""
        for process in self.processes()[1:]:
            with suppress(psutil.NoSuchProcess):
                if "postgres: postgres" in " ".join(process.cmdline()):
                    process.send_signal(signal.SIGKILL)
                    return


@contextmanager
def service() -> Iterator[Service]:
    # As root, the server runs as another user, for whom another run of pytest could make a folder of pytest unreadable.
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as directory:
        data = Path(directory) / "data"
        with local_postgres(data) as url:
            yield Service(data, url)
