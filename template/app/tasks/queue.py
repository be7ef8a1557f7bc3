"""Where requests leave jobs."""

import asyncio

from loguru import logger
from taskiq.exceptions import SendTaskError
from taskiq.kicker import AsyncKicker

from app.core.config import Settings
from app.core.context import request_id
from app.tasks.broker import StreamBroker
from app.tasks.job import Job

UNSENT = (SendTaskError, TimeoutError)


class Queue:
    """One instance a process. It connects when it is first used."""

    def __init__(self, settings: Settings) -> None:
        self._timeout = settings.CACHE_TIMEOUT
        self._broker = StreamBroker(settings, timeout=self._timeout)

    async def send(self, job: Job, **arguments: object) -> None:
        """Leaves the job for a worker. For `after_commit`: it ends in time, and where it fails, only the log tells."""
        kicker = AsyncKicker[..., None](job.name, self._broker, {"request_id": request_id.get() or ""})
        try:
            async with asyncio.timeout(self._timeout):
                await kicker.kiq(**arguments)
        except UNSENT as error:
            logger.bind(job=job.name, error=type(error.__cause__ or error).__name__).error("a job was not sent")

    async def close(self) -> None:
        await self._broker.connection_pool.disconnect()
