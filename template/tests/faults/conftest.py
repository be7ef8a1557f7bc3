"""A server and a database that a test may stop, freeze and kill."""

import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psutil
import pytest
from httpx2 import AsyncClient, Limits
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.core.config import Settings
from scripts.local_postgres import local_postgres
from scripts.seed import seed
from tests.conftest import migrate
from tests.server import Server, running_server

ADMIN = {"username": "admin@example.com", "password": "correct horse battery"}
LIMITS = {"DB_POOL_SIZE": "5", "DB_POOL_TIMEOUT": "1", "DB_STATEMENT_TIMEOUT": "1"}


class Postgres:
    """A PostgreSQL server of this suite alone."""

    def __init__(self, data: Path, url: str) -> None:
        self.data = data
        self.url = Settings(DATABASE_URL=SecretStr(url)).database_url

    def processes(self) -> list[psutil.Process]:
        postmaster = psutil.Process(int((self.data / "postmaster.pid").read_text().splitlines()[0]))
        return [postmaster, *postmaster.children(recursive=True)]

    def freeze(self) -> None:
        for process in self.processes():
            process.suspend()

    def thaw(self) -> None:
        for process in reversed(self.processes()):
            process.resume()

    def crash(self) -> None:
        """Kills one backend, upon which PostgreSQL ends all others, recovers and goes on."""
        backends = [process for process in self.processes()[1:] if "postgres: postgres" in " ".join(process.cmdline())]
        if backends:
            backends[0].send_signal(signal.SIGKILL)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    data = tmp_path_factory.mktemp("faults") / "data"
    with local_postgres(data) as url:
        yield Postgres(data, url)


@pytest.fixture(scope="session")
async def migrated(postgres: Postgres) -> Postgres:
    await migrate(postgres.url)
    admin = Settings(
        DATABASE_URL=SecretStr(postgres.url),
        FIRST_ADMIN_EMAIL=ADMIN["username"],
        FIRST_ADMIN_PASSWORD=SecretStr(ADMIN["password"]),
    )
    await seed(admin)
    return postgres


@pytest.fixture
async def engine(migrated: Postgres) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(migrated.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    yield engine
    await engine.dispose()


@pytest.fixture
def server(migrated: Postgres) -> Iterator[Server]:
    with running_server(migrated.url, **LIMITS) as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[AsyncClient]:
    """Signed in as an administrator, with as many connections as it likes."""
    async with AsyncClient(base_url=server.address, timeout=30, limits=Limits(max_connections=None)) as client:
        answer = await client.post("/auth/login", data=ADMIN)
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


NewUser = Callable[[str], dict[str, str]]


@pytest.fixture
def new_user_body() -> NewUser:
    return lambda name: {"email": f"{name}@example.com", "password": ADMIN["password"], "full_name": name}
