"""Taskiq's own commands run the tasks of a project, and so does the command of 0.3.0."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from taskiq.kicker import AsyncKicker

from app.core.config import ROOT, Settings
from app.core.context import request_id
from app.core.database import Database
from app.domain.models.base import utc_now
from app.domain.models.user import User
from app.integrations.tasks.erase_sessions import erase_sessions
from app.integrations.tasks.stream import StreamBroker
from app.tasks.job import Job
from app.tasks.queue import Queue
from tests.factories.user_factory import user_row
from tests.integrations.cache.valkey import Valkey
from tests.integrations.tasks.test_tasks import add_token, add_user, tokens
from tests.integrations.tasks.worker import BOTH, SCHEDULER, WORKER, Worker, project_with, running
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("server")

# The return values of its methods have too many types to check.
type Redis = Any
Start = Callable[..., Worker]

TASKS = """
from typing import Annotated

from loguru import logger
from sqlalchemy.ext.asyncio import AsyncSession
from taskiq import Context, TaskiqDepends

from app.domain.models.user import User
from app.integrations.tasks.broker import broker
from app.integrations.tasks.deps import get_session


def get_greeting(context: Annotated[Context, TaskiqDepends()]) -> str:
    return f"hello from {context.message.task_name}"


@broker.task
async def greet(name: str, greeting: Annotated[str, TaskiqDepends(get_greeting)]) -> None:
    logger.bind(name=name).info(greeting)


@broker.task
async def add_user(
    row: dict[str, str], fails: bool, session: Annotated[AsyncSession, TaskiqDepends(get_session)]
) -> None:
    session.add(User(**row))
    await session.flush()
    if fails:
        raise ValueError("after the user was added")
"""

# Projects of 0.3.0 wrote jobs like this.
JOB = """
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from loguru import logger

from app.domain.models.user import User
from app.repository.ended_session_repository import EndedSessionRepository
from app.tasks.job import discover_jobs, job


@job(every=timedelta(hours=1))
async def count_users(session: AsyncSession) -> None:
    users = await session.scalar(select(func.count()).select_from(User))
    logger.bind(users=users, jobs=sorted(job.name for job in discover_jobs())).info("users")


@job()
async def name_user(session: AsyncSession, number: int) -> None:
    user = (await session.scalars(select(User))).one()
    user.email = f"{number + 1}@example.com"
"""


@pytest.fixture
def start(settings: Settings, valkey: Valkey, tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:
        numbers = iter(range(10))

        def start(command: tuple[str, ...], folder: Path = ROOT, /, **environment: str) -> Worker:
            log = tmp_path / f"{next(numbers)}.log"
            return stack.enter_context(running(command, settings.database_url, valkey.url, log, folder, **environment))

        yield start


async def until_empty(redis: Redis) -> None:
    """Waits until the stream is empty, which happens a moment after the log says that a job is done."""
    for _ in range(600):
        if await redis.xlen("jobs") == 0:
            return
        await asyncio.sleep(0.1)
    assert await redis.xlen("jobs") == 0


async def test_they_do_what_was_sent_and_what_is_due_once_and_stop_well(
    start: Start, committed: Database, broker: StreamBroker, redis: Redis
) -> None:
    user = await add_user(committed)
    await add_token(committed, user)
    await add_token(committed, user, revoked_at=utc_now())
    request_id.set("the-request")
    await erase_sessions.kiq(user_id=user.id)

    workers = [start(WORKER) for _ in range(2)]
    schedulers = [start(SCHEDULER) for _ in range(2)]

    def done(job: str) -> list[dict[str, Any]]:
        return [line for worker in workers for line in worker.done(job)]

    await until(lambda: bool(done("erase_sessions") and done("erase_all_sessions")))
    await until(lambda: all(scheduler.lines("scheduler started") for scheduler in schedulers))
    await asyncio.sleep(2)  # by now, both have checked which tasks are due
    assert [len(done(job)) for job in ("erase_sessions", "erase_all_sessions")] == [1, 1]
    assert done("erase_sessions")[0]["request_id"] == "the-request"
    assert await tokens(committed, user) == set()
    await until_empty(redis)

    assert {await asyncio.to_thread(process.stop) for process in (*workers, *schedulers)} == {0}
    assert all(worker.lines("worker stopped") for worker in workers)
    assert all(scheduler.lines("scheduler stopped") for scheduler in schedulers)


async def test_a_task_of_the_project_is_found_and_gets_its_dependencies(
    start: Start, broker: StreamBroker, tmp_path: Path
) -> None:
    await AsyncKicker[..., None]("app.tasks.greetings:greet", broker, {}).kiq("Ada")

    worker = start(WORKER, project_with(tmp_path, greetings=TASKS))

    await until(lambda: bool(worker.done("app.tasks.greetings:greet")))
    (line,) = worker.lines("hello from app.tasks.greetings:greet")
    assert line["name"] == "Ada"


async def test_a_task_that_fails_is_rolled_back_and_delivered_again(
    start: Start, broker: StreamBroker, committed: Database, redis: Redis, tmp_path: Path
) -> None:
    async def emails() -> list[str]:
        async with committed.reading() as session:
            return list(await session.scalars(select(User.email)))

    add = AsyncKicker[..., None]("app.tasks.users:add_user", broker, {})
    await add.kiq(user_row(email="kept@example.com"), fails=False)
    await add.kiq(user_row(email="lost@example.com"), fails=True)

    worker = start(WORKER, project_with(tmp_path, users=TASKS), JOB_TIMEOUT="2")

    await until(lambda: len(worker.lines("Exception found while executing function.")) > 1)
    await until(lambda: len(worker.done("app.tasks.users:add_user")) == 1)
    assert await emails() == ["kept@example.com"]
    assert await redis.xlen("jobs") == 1


def test_without_a_cache_the_broker_is_imported_and_no_process_starts(settings: Settings, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CACHE_URL"}
    environment["DATABASE_URL"] = settings.database_url
    imports = (sys.executable, "-c", "from app.integrations.tasks.broker import broker")

    imported, worker, scheduler = (
        subprocess.run(command, cwd=project_with(folder), env=environment, capture_output=True, text=True, check=False)
        for command, folder in (
            (imports, tmp_path / "1"),
            ((*WORKER, "--max-fails=1"), tmp_path / "2"),
            (SCHEDULER, tmp_path / "3"),
        )
    )

    assert imported.returncode == 0, imported.stderr
    for process in (worker, scheduler):
        assert process.returncode != 0
        assert "CACHE_URL is not set: set it" in process.stderr


@pytest.mark.usefixtures("broker")
async def test_a_project_of_0_3_0_works_unchanged(
    start: Start, committed: Database, broker_settings: Settings, redis: Redis, tmp_path: Path
) -> None:
    async def nothing() -> None: ...

    async def named() -> int | None:
        async with committed.reading() as session:
            return await session.scalar(select(func.count()).where(User.email == "42@example.com"))

    await add_user(committed)
    queue = Queue(broker_settings)
    await queue.send(Job("name_user", nothing), number=41)
    await queue.close()

    worker = start(BOTH, project_with(tmp_path, count_job=JOB))

    await until(lambda: bool(worker.done("name_user") and worker.done("count_users")))
    assert await named() == 1
    (line,) = worker.lines("users")
    assert line["users"] == 1
    assert {"count_users", "name_user"} <= set(line["jobs"])
    await until(lambda: bool(worker.done("erase_all_sessions")))
    await until_empty(redis)
    assert await asyncio.to_thread(worker.stop) == 0
    assert worker.lines("worker stopped")
