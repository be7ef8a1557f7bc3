"""The stream that jobs pass through: nothing that entered it leaves before it was done, whoever is killed meanwhile."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from time import monotonic
from typing import Any

from loguru import logger
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from taskiq import AckableMessage
from taskiq_redis import RedisStreamBroker

from app.core.config import Settings

# Seconds for which a worker waits for a new message before it looks for overdue ones, and between attempts to reach a
# broker that is away.
PAUSE = 1
# How often a message is delivered before it is given up.
MAXIMUM_ATTEMPTS = 8
# How many overdue messages are looked at together.
PAGE = 1000

AWAY = (RedisError, OSError, TimeoutError)


class StreamBroker(RedisStreamBroker):
    """Delivers a message again when nobody acknowledged it in time: its worker was killed, or the job failed.

    The time doubles with each attempt. The stream and its group come into being with their first use.
    """

    def __init__(self, settings: Settings, *, timeout: float) -> None:
        """`timeout` is how long a command may take, in seconds."""
        super().__init__(
            settings.cache_url,
            queue_name="jobs",
            # All workers are one consumer: who got a message does not matter, only when.
            consumer_group_name="workers",
            consumer_name="worker",
            # From the first message on, even if it was sent before there ever was a worker.
            consumer_id="0",
            # Those that were fetched together would become overdue while they wait for each other.
            xread_count=1,
            xread_block=PAUSE * 1000,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), retries=1),
        )
        # A job that still runs is never overdue: it may take half of that.
        self._overdue_after = int(2000 * settings.JOB_TIMEOUT)

    async def listen(self) -> AsyncGenerator[AckableMessage]:
        is_away = False
        while True:
            try:
                await self._declare_consumer_group()
                if is_away:
                    logger.info("the broker is available again")
                is_away = False
                async for message in self._messages():
                    yield message
            except AWAY as error:
                if not is_away:
                    logger.bind(error=type(error).__name__).error("the broker is not available")
                is_away = True
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
                    if (known := self._message(identifier, fields)) is not None:
                        yield known

    async def _overdue(self, client: Redis) -> AsyncIterator[AckableMessage]:
        group = self.consumer_group_name
        unacknowledged: Any = await client.xpending_range(
            self.queue_name, group, "-", "+", PAGE, idle=self._overdue_after
        )
        for pending in unacknowledged:
            identifier, attempts = pending["message_id"], pending["times_delivered"]
            wait = self._overdue_after * 2 ** (attempts - 1)
            if pending["time_since_delivered"] < wait:
                continue
            # Of several workers one gets it: for the others it has not been idle for so long any more.
            claimed: Any = await client.xclaim(self.queue_name, group, self.consumer_name, wait, [identifier])
            for _, fields in claimed:
                if attempts >= MAXIMUM_ATTEMPTS:
                    logger.bind(attempts=attempts, job=self._job_of(fields)).error("a job was given up")
                    await self._remove(identifier)
                elif (message := self._message(identifier, fields)) is not None:
                    yield message

    def _message(self, identifier: bytes, fields: dict[bytes, bytes]) -> AckableMessage | None:
        """None for a job that we do not know: it stays for a worker of another version."""
        if self.find_task(self._job_of(fields)) is None:
            logger.bind(job=self._job_of(fields)).warning("a job is not known here")
            return None

        async def remove() -> None:
            await self._remove(identifier)

        return AckableMessage(data=fields[b"data"], ack=remove)

    def _job_of(self, fields: dict[bytes, bytes]) -> str:
        return self.formatter.loads(fields[b"data"]).task_name

    async def _remove(self, identifier: bytes) -> None:
        """To acknowledge alone would leave it in the stream for ever."""
        async with Redis(connection_pool=self.connection_pool).pipeline() as pipeline:
            pipeline.xack(self.queue_name, self.consumer_group_name, identifier)
            pipeline.xdel(self.queue_name, identifier)
            await pipeline.execute()
