"""Jobs: what starts them, what they do, and that none is lost or done without need."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from pydantic import SecretStr
from redis.asyncio import Redis as Client
from sqlalchemy import delete, select
from taskiq.message import TaskiqMessage
from taskiq.utils import maybe_awaitable
from uuid_utils.compat import uuid7

from app.core.config import Settings
from app.core.context import request_id
from app.core.database import Database
from app.domain.models.base import utc_now
from app.domain.models.refresh_token import RefreshToken
from app.domain.models.user import User
from app.repository import ended_session_repository
from app.repository.ended_session_repository import EndedSessionRepository
from app.service.ended_session_service import EndedSessionService
from app.tasks.broker import MAXIMUM_ATTEMPTS, StreamBroker
from app.tasks.erase_sessions_job import ErasingRefreshTokenRepository
from app.tasks.job import Job, discover_jobs
from app.tasks.queue import Queue
from tests.factories.user_factory import create_user
from tests.integrations.cache.valkey import Valkey
from tests.integrations.tasks.worker import Worker, running_worker

pytestmark = pytest.mark.xdist_group("server")

# Its answers are of too many types to check.
type Redis = Any

# A busy machine is no outage.
PATIENT = {"CACHE_TIMEOUT": 30}


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A broker of these tests alone: a worker does whatever job it finds."""
    valkey = Valkey(tmp_path_factory.mktemp("broker"))
    valkey.start()
    yield valkey
    valkey.stop()


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator[Client]:
    """What is in the broker; nothing at first."""
    async with Client.from_url(valkey.url) as client:
        await client.flushall()
        yield client


@pytest.fixture
def broker_settings(settings: Settings, valkey: Valkey) -> Settings:
    return settings.model_copy(update=PATIENT | {"CACHE_URL": SecretStr(valkey.url), "JOB_TIMEOUT": 0.1})


@pytest.fixture
async def broker(broker_settings: Settings, redis: Redis) -> AsyncIterator[StreamBroker]:
    broker = StreamBroker(broker_settings, timeout=30)
    for job in discover_jobs():
        broker.register_task(job.work, job.name)
    yield broker
    await broker.connection_pool.disconnect()


@pytest.fixture
async def queue(broker_settings: Settings, redis: Redis) -> AsyncIterator[Queue]:
    queue = Queue(broker_settings)
    yield queue
    await queue.close()


async def add_token(database: Database, user: User, **values: Any) -> UUID:
    token = {"session_id": uuid7(), "user_id": user.id, "token_hash": uuid7().hex, "expires_at": utc_now()} | values
    async with database.transaction() as session:
        session.add(record := RefreshToken(**token))
    return record.id


async def tokens(database: Database, user: User) -> set[UUID]:
    async with database.reading() as session:
        return set((await session.scalars(select(RefreshToken.id).where(RefreshToken.user_id == user.id))).all())


async def add_user(database: Database) -> User:
    async with database.transaction() as session:
        return await create_user(session)


LATER = timedelta(days=1)


async def test_what_is_left_of_ended_sessions_is_erased_batch_by_batch(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ended_session_repository, "BATCH", 2)
    user = await add_user(database)
    for _ in range(3):
        await add_token(database, user)
        await add_token(database, user, expires_at=utc_now() + LATER, revoked_at=utc_now())
    alive = await add_token(database, user, expires_at=utc_now() + LATER)
    used = await add_token(database, user, expires_at=utc_now() + LATER, used_at=utc_now())

    async with database.transaction() as session:
        await EndedSessionService(EndedSessionRepository(session)).erase_all()

    assert await tokens(database, user) == {alive, used}


async def test_of_one_user_only_what_was_ended_is_erased(database: Database) -> None:
    user, other = await add_user(database), await add_user(database)
    await add_token(database, user, revoked_at=utc_now())
    expired = await add_token(database, user)
    others = await add_token(database, other, revoked_at=utc_now())

    async with database.transaction() as session:
        await EndedSessionService(EndedSessionRepository(session)).erase(user.id)

    assert await tokens(database, user) == {expired}
    assert await tokens(database, other) == {others}


async def sent(redis: Redis, broker: StreamBroker) -> list[TaskiqMessage]:
    return [broker.formatter.loads(fields[b"data"]) for _, fields in await redis.xrange("jobs")]


@pytest.fixture
def app(app: FastAPI, queue: Queue) -> FastAPI:
    app.state.providers.refresh_token_repository = partial(ErasingRefreshTokenRepository, queue=queue)
    return app


async def test_a_request_that_ends_sessions_sends_their_erasure_under_its_id(
    admin: AsyncClient, redis: Redis, broker: StreamBroker, database: Database
) -> None:
    user = await add_user(database)

    answer = await admin.post(f"/users/{user.id}/password", json={"new_password": "correct horse battery"})

    assert answer.status_code == 204
    (message,) = await sent(redis, broker)
    assert (message.task_name, message.kwargs) == ("erase_sessions", {"user_id": str(user.id)})
    assert message.labels["request_id"] == answer.headers["X-Request-ID"]


async def test_a_request_that_fails_sends_nothing(database: Database, queue: Queue, redis: Redis) -> None:
    async def fail() -> None:
        async with database.transaction() as session:
            await ErasingRefreshTokenRepository(session, queue).revoke_all(uuid7())
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 (ours)
        await fail()

    assert await redis.exists("jobs") == 0


async def nothing() -> None:
    """The work of a job."""


async def deliver_in_vain(redis: Redis, attempts: int) -> None:
    """Has all messages delivered so often, and overdue for as long as there is time."""
    await redis.xgroup_create("jobs", "workers", "0", mkstream=True)
    await redis.xreadgroup("workers", "killed", {"jobs": ">"})
    identifiers = [identifier for identifier, _ in await redis.xrange("jobs")]
    await redis.xclaim("jobs", "workers", "killed", 0, identifiers, idle=10**9, retrycount=attempts)


async def test_a_message_that_nobody_acknowledged_is_delivered_again(
    queue: Queue, redis: Redis, broker: StreamBroker
) -> None:
    user_id = uuid7()
    await queue.send(Job("erase_sessions", nothing), user_id=user_id)
    await deliver_in_vain(redis, attempts=MAXIMUM_ATTEMPTS - 1)

    async with asyncio.timeout(30):
        message = await anext(broker.listen())

    assert broker.formatter.loads(message.data).kwargs == {"user_id": str(user_id)}
    await maybe_awaitable(message.ack())
    assert await redis.xlen("jobs") == 0


async def test_a_message_that_fails_for_ever_is_given_up(
    queue: Queue, redis: Redis, broker: StreamBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    await queue.send(Job("erase_sessions", nothing), user_id=uuid7())
    await deliver_in_vain(redis, attempts=MAXIMUM_ATTEMPTS)

    listening = asyncio.ensure_future(anext(broker.listen()))
    await until(lambda: "a job was given up" in capsys.readouterr().out)
    listening.cancel()

    assert await redis.xlen("jobs") == 0


async def test_a_job_of_another_version_is_left_for_its_worker(
    queue: Queue, redis: Redis, broker: StreamBroker
) -> None:
    await queue.send(Job("from_the_future", nothing))
    await queue.send(Job("erase_sessions", nothing), user_id=uuid7())

    async with asyncio.timeout(30):
        message = await anext(broker.listen())

    assert broker.formatter.loads(message.data).task_name == "erase_sessions"
    assert [message.task_name for message in await sent(redis, broker)] == ["from_the_future", "erase_sessions"]


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen")


@pytest.fixture
async def committed(settings: Settings) -> AsyncIterator[Database]:
    """A database whose changes others see."""
    database = Database(settings)
    yield database
    async with database.transaction() as session:
        await session.execute(delete(User))
    await database.close()


@pytest.fixture
def start_two(
    committed: Database, settings: Settings, valkey: Valkey, tmp_path: Path
) -> Iterator[Callable[[], list[Worker]]]:
    with ExitStack() as stack:
        logs = (tmp_path / "one.log", tmp_path / "other.log")
        yield lambda: [stack.enter_context(running_worker(settings.database_url, valkey.url, log)) for log in logs]


async def test_workers_do_what_was_sent_and_what_is_due_once_and_stop_well(
    start_two: Callable[[], list[Worker]], committed: Database, queue: Queue, redis: Redis
) -> None:
    user = await add_user(committed)
    await add_token(committed, user)
    request_id.set("the-request")
    await queue.send(Job("erase_sessions", nothing), user_id=user.id)

    running = start_two()

    def done(job: str) -> list[dict[str, Any]]:
        return [line for worker in running for line in worker.done(job)]

    await until(lambda: bool(done("erase_sessions") and done("erase_all_sessions")))
    await until(lambda: all(worker.lines("worker started") for worker in running))
    await asyncio.sleep(2)  # by now both have looked at what is due
    assert [len(done(job)) for job in ("erase_sessions", "erase_all_sessions")] == [1, 1]
    assert done("erase_sessions")[0]["request_id"] == "the-request"
    assert await tokens(committed, user) == set()
    assert await redis.xlen("jobs") == 0

    for worker in running:
        worker.process.terminate()
    assert [await asyncio.to_thread(worker.process.wait, 30) for worker in running] == [0, 0]
    assert all(worker.lines("worker stopped") for worker in running)
