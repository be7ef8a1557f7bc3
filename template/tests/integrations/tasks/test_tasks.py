"""Tasks are sent, run and retried, and none is lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from taskiq import Context, SimpleRetryMiddleware, TaskiqDepends, TaskiqMessage
from taskiq.acks import AcknowledgeType
from taskiq.exceptions import SendTaskError
from taskiq.kicker import AsyncKicker
from taskiq.receiver import Receiver
from taskiq.utils import maybe_awaitable
from uuid_utils.compat import uuid7

from app.api.deps import Providers
from app.core.config import Settings
from app.core.context import request_id
from app.core.database import Database
from app.domain.models.base import utc_now
from app.domain.models.outbox_message import AT_ONCE, OutboxMessage
from app.domain.models.refresh_token import RefreshToken
from app.domain.models.user import User
from app.domain.schemas.user import UserCreate
from app.integrations.tasks import ended_session_repository, middleware
from app.integrations.tasks.deps import get_session
from app.integrations.tasks.ended_session_repository import EndedSessionRepository
from app.integrations.tasks.ended_session_service import EndedSessionService
from app.integrations.tasks.erase_sessions import ErasingRefreshTokenRepository, erase_sessions
from app.integrations.tasks.outbox import put_task
from app.integrations.tasks.sending import send
from app.integrations.tasks.stream import MAXIMUM_ATTEMPTS, StreamBroker
from app.repository.outbox_repository import Outcome
from app.tasks.queue import Queue
from tests.api import USERS
from tests.factories.user_factory import create_user, user_fields
from tests.integrations.cache.valkey import Valkey
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("server")

# The return values of its methods have too many types to check.
type Redis = Any

LATER = timedelta(days=1)
type Deliver = Callable[[], Awaitable[list[Outcome]]]

# In seconds: longer than any of this takes, and shorter than the timeout of a test.
PATIENCE = 100


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


# --- The template's own tasks


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


# --- Sending


async def sent(redis: Redis, broker: StreamBroker) -> list[TaskiqMessage]:
    return [broker.formatter.loads(fields[b"data"]) for _, fields in await redis.xrange("jobs")]


@pytest.fixture
def app(app: FastAPI) -> FastAPI:
    app.state.providers.refresh_token_repository = ErasingRefreshTokenRepository
    return app


async def test_a_request_that_ends_sessions_sends_their_erasure_under_its_id(
    admin: AsyncClient, redis: Redis, broker: StreamBroker, database: Database, deliver: Deliver
) -> None:
    user = await add_user(database)

    response = await admin.post(f"{USERS}/{user.id}/password", json={"new_password": "correct horse battery"})

    assert response.status_code == 204
    assert await sent(redis, broker) == []
    await deliver()
    (message,) = await sent(redis, broker)
    assert (message.task_name, message.kwargs) == ("erase_sessions", {"user_id": str(user.id)})
    assert message.labels["request_id"] == response.headers["X-Request-ID"]


@pytest.mark.usefixtures("broker")
async def test_a_request_that_fails_sends_nothing(database: Database, redis: Redis, deliver: Deliver) -> None:
    async def fail() -> None:
        async with database.transaction() as session:
            await ErasingRefreshTokenRepository(session).revoke_all(uuid7())
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 (ours)
        await fail()

    assert await deliver() == []
    assert await redis.exists("jobs") == 0


async def test_a_task_that_is_put_is_the_one_that_would_be_sent(
    session: AsyncSession, redis: Redis, broker: StreamBroker, deliver: Deliver
) -> None:
    arguments = {"user_id": uuid7(), "at": utc_now(), "user": UserCreate(**user_fields())}
    kicker = AsyncKicker[..., None]("example", broker, {"timeout": 60}).with_task_id("the-task")

    await put_task(session, kicker, 1, "two", **arguments)
    await session.commit()
    await deliver()
    await kicker.kiq(1, "two", **arguments)

    by_outbox, at_once = await sent(redis, broker)
    assert by_outbox == at_once


async def test_a_task_that_cannot_be_sent_is_sent_when_the_broker_is_back(
    session: AsyncSession, valkey: Valkey, redis: Redis, broker: StreamBroker, deliver: Deliver
) -> None:
    await put_task(session, erase_sessions, user_id=uuid7())
    await session.commit()
    valkey.stop()
    try:
        (failed,) = await deliver()
    finally:
        valkey.start()
        await redis.connection_pool.disconnect()
    assert failed.error == "The broker did not take erase_sessions: ConnectionError."

    await session.execute(update(OutboxMessage).values(due_at=AT_ONCE))
    await session.commit()
    assert [outcome.error for outcome in await deliver()] == [None]
    assert len(await sent(redis, broker)) == 1


async def test_kiq_sends_at_once(database: Database, redis: Redis, broker: StreamBroker) -> None:
    async with database.transaction():
        await erase_sessions.kiq(user_id=uuid7())

        assert [message.task_name for message in await sent(redis, broker)] == ["erase_sessions"]


async def test_the_queue_of_0_3_0_sends_a_task_too(
    redis: Redis, broker: StreamBroker, broker_settings: Settings
) -> None:
    await Queue(broker_settings).send(erase_sessions, user_id=uuid7())

    assert [message.task_name for message in await sent(redis, broker)] == ["erase_sessions"]


async def test_kiq_raises_what_taskiq_documents_and_send_only_logs_it(
    broker: StreamBroker, valkey: Valkey, capsys: pytest.CaptureFixture[str]
) -> None:
    valkey.stop()

    with pytest.raises(SendTaskError):
        await erase_sessions.kiq(user_id=uuid7())
    await send(erase_sessions, user_id=uuid7())

    valkey.start()
    assert "a job was not sent" in capsys.readouterr().out


# --- Delivery


async def deliver_in_vain(redis: Redis, attempts: int, idle: int = 10**9) -> None:
    """Delivers all messages this number of times, the last time `idle` milliseconds ago."""
    await redis.xgroup_create("jobs", "workers", "0", mkstream=True)
    await redis.xreadgroup("workers", "killed", {"jobs": ">"})
    identifiers = [identifier for identifier, _ in await redis.xrange("jobs")]
    await redis.xclaim("jobs", "workers", "killed", 0, identifiers, idle=idle, retrycount=attempts)


async def test_a_message_that_nobody_acknowledged_is_delivered_again(redis: Redis, broker: StreamBroker) -> None:
    user_id = uuid7()
    await erase_sessions.kiq(user_id=user_id)
    await deliver_in_vain(redis, attempts=MAXIMUM_ATTEMPTS - 1)

    async with asyncio.timeout(PATIENCE):
        message = await anext(broker.listen())

    assert broker.formatter.loads(message.data).kwargs == {"user_id": str(user_id)}
    await maybe_awaitable(message.ack())
    assert await redis.xlen("jobs") == 0


async def test_a_message_that_fails_for_ever_is_given_up(
    redis: Redis, broker: StreamBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    await erase_sessions.kiq(user_id=uuid7())
    await deliver_in_vain(redis, attempts=MAXIMUM_ATTEMPTS)

    listening = asyncio.ensure_future(anext(broker.listen()))
    await until(lambda: "a job was given up" in capsys.readouterr().out)
    listening.cancel()

    assert await redis.xlen("jobs") == 0


async def test_a_task_of_another_version_is_left_for_its_worker(redis: Redis, broker: StreamBroker) -> None:
    await AsyncKicker[..., None]("from_the_future", broker, {}).kiq()
    await erase_sessions.kiq(user_id=uuid7())

    async with asyncio.timeout(PATIENCE):
        message = await anext(broker.listen())

    assert broker.formatter.loads(message.data).task_name == "erase_sessions"
    assert [message.task_name for message in await sent(redis, broker)] == ["from_the_future", "erase_sessions"]


async def test_a_task_with_a_longer_limit_is_not_overdue_while_it_may_run(redis: Redis, broker: StreamBroker) -> None:
    await erase_sessions.kicker().with_labels(timeout=60).kiq(user_id=uuid7())
    await erase_sessions.kiq(user_id=uuid7())
    await deliver_in_vain(redis, attempts=1, idle=60_000)

    async with asyncio.timeout(PATIENCE):
        message = await anext(broker.listen())

    assert "timeout" not in broker.formatter.loads(message.data).labels


# --- Running


@contextmanager
def task_of(broker: StreamBroker, work: Callable[..., Any]) -> Iterator[None]:
    """Registers this task with the broker for the duration of the block."""
    broker.register_task(work, "example")
    yield
    del broker.local_task_registry["example"]


async def run(
    broker: StreamBroker, work: Callable[..., Any], ack_type: str = "when_saved", **arguments: object
) -> None:
    """Sends the task and handles its message as `taskiq worker` does."""
    with task_of(broker, work):
        await AsyncKicker[..., None]("example", broker, {"retry_on_error": True}).kiq(**arguments)
        async with asyncio.timeout(PATIENCE):
            message = await anext(broker.listen())
        await Receiver(broker, max_async_tasks=1, ack_type=AcknowledgeType(ack_type)).callback(message)


async def test_a_task_that_succeeds_leaves_the_stream(redis: Redis, broker: StreamBroker) -> None:
    async def succeed() -> None: ...

    await run(broker, succeed)

    assert await redis.xlen("jobs") == 0


async def fail() -> None:
    raise ValueError


@pytest.mark.parametrize("ack_type", ["when_executed", "when_saved"])
async def test_a_task_that_fails_is_not_acknowledged(redis: Redis, broker: StreamBroker, ack_type: str) -> None:
    await run(broker, fail, ack_type)

    assert await redis.xlen("jobs") == 1
    assert (await redis.xpending("jobs", "workers"))["pending"] == 1


async def test_a_task_that_rejects_its_message_never_sees_it_again(redis: Redis, broker: StreamBroker) -> None:
    async def reject(context: Context = TaskiqDepends()) -> None:
        context.reject()

    await run(broker, reject)

    assert await redis.xlen("jobs") == 0


async def test_a_task_that_requeues_itself_leaves_one_message(redis: Redis, broker: StreamBroker) -> None:
    async def requeue(context: Context = TaskiqDepends()) -> None:
        await context.requeue()

    await run(broker, requeue)

    assert [message.labels["X-Taskiq-requeue"] for message in await sent(redis, broker)] == ["1"]


async def test_the_retry_of_a_middleware_takes_the_place_of_the_message(
    redis: Redis, broker: StreamBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "middlewares", [*broker.middlewares])
    broker.add_middlewares(SimpleRetryMiddleware())

    await run(broker, fail)

    assert [message.labels["_retries"] for message in await sent(redis, broker)] == ["1"]


async def test_a_task_that_takes_too_long_fails(
    redis: Redis, broker: StreamBroker, broker_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = broker_settings.model_copy(update={"JOB_TIMEOUT": 0.1})
    monkeypatch.setattr(middleware, "get_settings", lambda: hasty)

    async def wait() -> None:
        await asyncio.sleep(10)

    await run(broker, wait)

    assert await redis.xlen("jobs") == 1


@pytest.fixture
async def with_database(broker: StreamBroker, providers: Providers) -> AsyncIterator[None]:
    broker.state.providers = providers
    yield
    del broker.state.providers


@pytest.mark.usefixtures("with_database")
async def test_a_task_commits_before_its_message_is_acknowledged(
    database: Database, redis: Redis, broker: StreamBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await add_user(database)
    await add_token(database, user, revoked_at=utc_now())
    seen: list[set[UUID]] = []
    remove = broker._remove

    async def look_and_remove(identifier: bytes) -> None:
        seen.append(await tokens(database, user))
        await remove(identifier)

    monkeypatch.setattr(broker, "_remove", look_and_remove)

    async def erase(user_id: UUID, session: Any = TaskiqDepends(get_session)) -> None:
        await EndedSessionRepository(session).delete_revoked(user_id)

    await run(broker, erase, user_id=user.id)

    assert seen == [set()]
    assert await redis.xlen("jobs") == 0


@pytest.mark.usefixtures("with_database")
async def test_a_task_whose_commit_fails_is_not_acknowledged(
    redis: Redis, broker: StreamBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(session: Any = TaskiqDepends(get_session)) -> None:
        async def fail() -> None:
            raise ConnectionError

        monkeypatch.setattr(session, "commit", fail)

    with pytest.raises(ConnectionError):
        await run(broker, work)

    assert await redis.xlen("jobs") == 1


async def test_a_line_of_the_log_has_the_request_the_name_and_the_duration(
    broker: StreamBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    async def succeed() -> None: ...

    request_id.set("the-request")
    await run(broker, succeed)

    assert '"request_id":"the-request","job":"example","duration_ms":' in capsys.readouterr().out


async def test_a_message_of_0_3_0_is_understood(redis: Redis, broker: StreamBroker) -> None:
    user_id = uuid7()
    written = (
        b'{"task_id":"1","task_name":"erase_sessions","labels":{"request_id":"old"},"labels_types":{"request_id":3},'
        b'"args":[],"kwargs":{"user_id":"%s"}}' % str(user_id).encode()
    )
    await redis.xadd("jobs", {b"data": written})

    async with asyncio.timeout(PATIENCE):
        message = await anext(broker.listen())

    assert broker.formatter.loads(message.data).kwargs == {"user_id": str(user_id)}
