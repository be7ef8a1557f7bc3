"""Each task of a committed transaction is done, even if the API, a worker, the broker or the database is killed."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from scripts.local_valkey import UNTIL_IT_ANSWERS, server_command
from scripts.ports import free_port
from tests.database import Service
from tests.faults.outbox import (
    QUICK,
    WRITES,
    names,
    router,
    tables,
    until_all_is_delivered,
    write_under_kills,
)
from tests.faults.processes import Api, Process, project_with
from tests.integrations.tasks.worker import WORKER

TASK = """
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from taskiq import TaskiqDepends

from app.integrations.tasks.broker import broker
from app.integrations.tasks.deps import get_session


@broker.task("note")
async def note(name: str, session: AsyncSession = TaskiqDepends(get_session)) -> None:
    await session.execute(text("INSERT INTO delivered (name) VALUES (:name)"), {"name": name})
"""

FILES = {
    "app/tasks/noted.py": TASK,
    "app/api/v1/noted_router.py": router(
        "from app.integrations.tasks.outbox import put_task\nfrom app.tasks.noted import note",
        "await put_task(session, note, name=name)",
    ),
}


class Broker(Process):
    """A Valkey that loses nothing that it has acknowledged."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.port = free_port()
        durable = {"appendonly": "yes", "appendfsync": "always", "dir": folder}
        super().__init__(folder, server_command(port=self.port, bind="127.0.0.1", **durable))

    def start(self) -> None:
        super().start()
        with closing(Redis(port=self.port, retry=UNTIL_IT_ANSWERS)) as client:
            client.ping()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "valkey")
    yield broker
    broker.stop()


@pytest.fixture
def processes(migrated: Service, broker: Broker, tmp_path: Path) -> Iterator[tuple[Api, Process]]:
    project = project_with(tmp_path / "project", FILES)
    environment = QUICK | {
        "DATABASE_URL": migrated.url,
        "CACHE_URL": f"redis://127.0.0.1:{broker.port}/0",
        "JOB_TIMEOUT": "1",
    }
    api, worker = Api(project, **environment), Process(project, WORKER, **environment)
    yield api, worker
    api.stop()
    worker.stop()


async def test_under_kills_each_task_of_a_committed_transaction_is_done_and_no_other(
    processes: tuple[Api, Process], broker: Broker, migrated: Service, engine: AsyncEngine
) -> None:
    kills = [*(process.kill for process in (*processes, broker))]
    if hasattr(migrated, "crash"):
        kills.append(migrated.crash)
    async with tables(engine):
        await write_under_kills(processes[0], kills)
        await until_all_is_delivered(engine)

        written = await names(engine, "SELECT name FROM written")
        delivered = await names(engine, "SELECT name FROM delivered")

    assert len(written) >= WRITES
    assert set(delivered) == set(written)
