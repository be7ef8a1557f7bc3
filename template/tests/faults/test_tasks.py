"""Each task is done in the end, even if a worker is killed, the task fails, or Valkey is down."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient
from redis import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.api import LOGIN, USERS, credentials
from tests.database import Service
from tests.faults.conftest import LIMITS, signed_in, user_named
from tests.integrations.cache.valkey import Valkey
from tests.integrations.tasks.worker import SCHEDULER, STOP_TIMEOUT, WORKER, Worker, running
from tests.server import running_server
from tests.waiting import until

# A message that is not acknowledged within twice this time is delivered again.
JOB_TIMEOUT = "1"

LOCK = {
    "postgresql": ("BEGIN", "LOCK TABLE refresh_tokens IN ACCESS EXCLUSIVE MODE"),
    "sqlite": ("BEGIN IMMEDIATE",),
}

StartWorker = Callable[..., Worker]


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    valkey = Valkey(tmp_path / "valkey")
    valkey.start()
    yield valkey
    valkey.stop()


@pytest.fixture
def start_worker(migrated: Service, valkey: Valkey, tmp_path: Path) -> Iterator[StartWorker]:
    with ExitStack() as stack:
        numbers = iter(range(10))

        def start(command: tuple[str, ...] = WORKER, **environment: str) -> Worker:
            log, limits = tmp_path / f"{next(numbers)}.log", LIMITS | {"JOB_TIMEOUT": JOB_TIMEOUT}
            return stack.enter_context(running(command, migrated.url, valkey.url, log, **limits | environment))

        yield start


@pytest.fixture
async def client(migrated: Service, valkey: Valkey) -> AsyncIterator[AsyncClient]:
    with running_server(migrated.url, CACHE_URL=valkey.url, **LIMITS) as server:
        async with signed_in(server) as client:
            yield client


@pytest.fixture
async def end_session(client: AsyncClient) -> Callable[[str], Any]:
    """Returns a function that signs a new user in and deletes the user."""

    async def end_session(name: str) -> None:
        body = user_named(name)
        user = (await client.post(USERS, json=body)).json()
        assert (await client.post(LOGIN, **credentials(body["email"], body["password"]))).status_code == 200
        assert (await client.delete(f"{USERS}/{user['id']}")).status_code == 200

    return end_session


def waiting(valkey: Valkey) -> int:
    """Returns how many messages are not done yet."""
    with Redis(port=valkey.port) as redis:
        return int(redis.xlen("jobs"))


def under_way(valkey: Valkey) -> int:
    """Returns how many of them a worker has begun."""
    with Redis(port=valkey.port) as redis:
        return sum(group["pending"] for group in redis.xinfo_groups("jobs"))


async def revoked(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        count = await connection.scalar(text("SELECT count(*) FROM refresh_tokens WHERE revoked_at IS NOT NULL"))
        return int(count)


@asynccontextmanager
async def locked(engine: AsyncEngine) -> AsyncIterator[None]:
    """Locks all sessions for the duration of the block."""
    async with engine.connect() as connection:
        for statement in LOCK[engine.dialect.name]:
            await connection.execute(text(statement))
        yield
        await connection.execute(text("ROLLBACK"))


async def test_a_worker_that_is_killed_in_the_middle_of_a_task_loses_nothing(
    end_session: Callable[[str], Any], start_worker: StartWorker, valkey: Valkey, engine: AsyncEngine
) -> None:
    await end_session("killed")
    await until(lambda: waiting(valkey) > 0)
    async with locked(engine):
        victim = start_worker()
        await until(lambda: under_way(valkey) > 0)
        victim.kill()
    assert waiting(valkey) > 0
    assert victim.done("erase_sessions") == []

    heir = start_worker()

    await until(lambda: bool(heir.done("erase_sessions")))
    await until(lambda: waiting(valkey) == 0)
    assert await revoked(engine) == 0


async def test_a_task_that_fails_is_tried_again(
    end_session: Callable[[str], Any], start_worker: StartWorker, valkey: Valkey, engine: AsyncEngine
) -> None:
    await end_session("failed")
    await until(lambda: waiting(valkey) > 0)
    failure = "Exception found while executing function."
    async with locked(engine):
        worker = start_worker()
        await until(lambda: bool(worker.lines(failure)))
    assert waiting(valkey) > 0

    await until(lambda: waiting(valkey) == 0)
    assert len(worker.done("erase_sessions")) == 1
    assert await revoked(engine) == 0


async def test_sigterm_lets_a_task_end(
    end_session: Callable[[str], Any], start_worker: StartWorker, valkey: Valkey, engine: AsyncEngine
) -> None:
    await end_session("last")
    await until(lambda: waiting(valkey) > 0)
    async with locked(engine):
        worker = start_worker(JOB_TIMEOUT="20", DB_STATEMENT_TIMEOUT="20")
        await until(lambda: under_way(valkey) > 0)
        worker.process.terminate()
        await asyncio.sleep(0.5)

    assert await asyncio.to_thread(worker.process.wait, STOP_TIMEOUT) == 0
    assert worker.done("erase_sessions")
    assert worker.lines("worker stopped")


async def test_without_a_broker_requests_succeed_and_their_tasks_are_done_when_it_is_back(
    end_session: Callable[[str], Any], start_worker: StartWorker, valkey: Valkey, engine: AsyncEngine
) -> None:
    valkey.stop()
    worker, scheduler = start_worker(), start_worker(SCHEDULER)
    await until(lambda: all(process.lines("the broker is not available") for process in (worker, scheduler)))

    await end_session("nobody-told")
    assert await revoked(engine) > 0

    valkey.start()
    await until(lambda: bool(worker.done("erase_sessions") and worker.done("erase_all_sessions")))
    assert await revoked(engine) == 0
