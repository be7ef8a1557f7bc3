"""The stream that tasks pass through: a message stays in it until its task succeeds, even if a worker is killed."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextvars import ContextVar
from functools import cached_property
from time import monotonic
from typing import Any, override

from loguru import logger
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from taskiq import AckableMessage, TaskiqMessage, TaskiqMiddleware, TaskiqResult
from taskiq.exceptions import NoResultError, TaskRejectedError
from taskiq_redis import RedisStreamBroker

from app.core.config import Settings
from app.integrations.cache.client import OUTAGES

# Seconds for which a worker waits for a new message before it looks for overdue ones, and between two attempts to reach
# Valkey during an outage.
PAUSE = 1
# Longer than a worker waits for a message.
WORKER_TIMEOUT = 5 * PAUSE
# How often a message is delivered before it is given up.
MAXIMUM_ATTEMPTS = 8
# How many overdue messages are looked at together.
PAGE = 1000

_has_failed: ContextVar[bool] = ContextVar("has_failed", default=False)


class Outage:
    """Logs when Valkey becomes unavailable and when it is back, and nothing in between."""

    def __init__(self) -> None:
        self._lasts = False

    def begin(self, error: BaseException) -> None:
        """Notes that the broker is down."""
        if not self._lasts:
            logger.bind(error=type(error).__name__).error("the broker is not available")
        self._lasts = True

    def end(self) -> None:
        """Notes that the broker is back."""
        if self._lasts:
            logger.info("the broker is available again")
        self._lasts = False


class _FailureMiddleware(TaskiqMiddleware):
    """Notes that the task of this message failed: Taskiq would acknowledge it nevertheless."""

    @override
    def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        _has_failed.set(False)
        return message

    @override
    def on_error(self, message: TaskiqMessage, result: TaskiqResult[Any], exception: BaseException) -> None:
        # Either another message has replaced this one, or the task has rejected it for good.
        is_settled = isinstance(result.error, NoResultError | TaskRejectedError)
        _has_failed.set(not is_settled)


class StreamBroker(RedisStreamBroker):
    """Delivers a message again, after a time that doubles, until its task has succeeded.

    It listens and acknowledges in its own way, since the broker of taskiq-redis looks for the messages of killed
    workers only when a new one has arrived, acknowledges failed tasks and those that it does not know, leaves finished
    messages in the stream for ever, and stops at the first outage.
    """

    def __init__(self, settings: Callable[[], Settings]) -> None:
        """Reads no settings and connects to nothing: both wait for the first use."""
        super().__init__(
            "redis://",
            queue_name="jobs",
            # All workers are one consumer: which of them got a message does not matter, only when.
            consumer_group_name="workers",
            consumer_name="worker",
            # The group begins with the first message, even if it was sent before any worker ran.
            consumer_id="0",
            # Messages that were fetched together would become overdue while they wait for each other.
            xread_count=1,
            xread_block=PAUSE * 1000,
        )
        self._settings = settings
        del self.connection_pool
        self.add_middlewares(_FailureMiddleware())

    @cached_property
    def connection_pool(self) -> BlockingConnectionPool:  # type: ignore[override]  # an attribute there, made at once
        """Raises SystemExit, with a sentence that says what to do, when there is no CACHE_URL."""
        settings = self._settings()
        is_client = not (self.is_worker_process or self.is_scheduler_process)
        timeout = settings.CACHE_TIMEOUT if is_client else WORKER_TIMEOUT
        return BlockingConnectionPool.from_url(
            settings.cache_url,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), retries=1),  # for a connection that the server has closed meanwhile
        )

    @override
    async def startup(self) -> None:
        _ = self.connection_pool  # a missing setting is reported now
        # This skips `startup` of RedisStreamBroker, which fails while Valkey is down.
        await super(RedisStreamBroker, self).startup()

    @override
    async def listen(self) -> AsyncGenerator[AckableMessage]:
        outage = Outage()
        while True:
            try:
                await self._declare_consumer_group()
                outage.end()
                async for message in self._messages():
                    yield message
            except OUTAGES as error:
                outage.begin(error)
                await asyncio.sleep(PAUSE)

    async def _messages(self) -> AsyncIterator[AckableMessage]:
        client = Redis(connection_pool=self.connection_pool)
        look_again_at = 0.0
        while True:
            if monotonic() > look_again_at:
                async for message in self._overdue(client):
                    yield message
                look_again_at = monotonic() + PAUSE
            new: Any = await client.xreadgroup(
                self.consumer_group_name, self.consumer_name, {self.queue_name: ">"}, self.count, self.block
            )
            for _, messages in new:
                for identifier, fields in messages:
                    if (known := self._known(identifier, fields)) is not None:
                        yield known

    async def _overdue(self, client: Redis) -> AsyncIterator[AckableMessage]:
        group = self.consumer_group_name
        shortest = int(2000 * self._settings().JOB_TIMEOUT)
        unacknowledged: Any = await client.xpending_range(self.queue_name, group, "-", "+", PAGE, idle=shortest)
        for pending in unacknowledged:
            identifier, attempts = pending["message_id"], pending["times_delivered"]
            wait = await self._overdue_after(client, identifier) * 2 ** (attempts - 1)
            if pending["time_since_delivered"] < wait:
                continue
            # Only one of several workers gets the message: for the others it has just been delivered.
            claimed: Any = await client.xclaim(self.queue_name, group, self.consumer_name, wait, [identifier])
            for _, fields in claimed:
                if attempts >= MAXIMUM_ATTEMPTS:
                    logger.bind(attempts=attempts, job=self._message(fields).task_name).error("a job was given up")
                    await self._remove(identifier)
                elif (message := self._known(identifier, fields)) is not None:
                    yield message

    async def _overdue_after(self, client: Redis, identifier: bytes) -> int:
        """Returns milliseconds, at least twice as many as the task may take: one that still runs is never overdue."""
        limit = self._settings().JOB_TIMEOUT
        entries: Any = await client.xrange(self.queue_name, identifier, identifier)
        for _, fields in entries:
            limit = max(limit, float(self._message(fields).labels.get("timeout", limit)))
        return int(2000 * limit)

    def _known(self, identifier: bytes, fields: dict[bytes, bytes]) -> AckableMessage | None:
        """Returns None for a task that this worker does not know: the message stays for a worker of another version."""
        name = self._message(fields).task_name
        if self.find_task(name) is None:
            logger.bind(job=name).warning("this worker does not know the job")
            return None

        async def acknowledge() -> None:
            if not _has_failed.get():
                await self._remove(identifier)

        return AckableMessage(data=fields[b"data"], ack=acknowledge)

    def _message(self, fields: dict[bytes, bytes]) -> TaskiqMessage:
        return self.formatter.loads(fields[b"data"])

    async def _remove(self, identifier: bytes) -> None:
        """XACK alone would leave the message in the stream for ever."""
        async with Redis(connection_pool=self.connection_pool).pipeline() as pipeline:
            pipeline.xack(self.queue_name, self.consumer_group_name, identifier)
            pipeline.xdel(self.queue_name, identifier)
            await pipeline.execute()
