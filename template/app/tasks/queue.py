"""Deprecated: how jobs were sent before 0.4.0. Removed in 0.6.0: docs/tasks.md shows `kiq` and `send`."""

from typing import Any

from taskiq import AsyncTaskiqDecoratedTask
from taskiq.kicker import AsyncKicker

from app.core.config import Settings
from app.integrations.tasks.broker import broker
from app.integrations.tasks.sending import send
from app.tasks.job import Job


class Queue:
    """Sends jobs of before 0.4.0."""

    def __init__(self, settings: Settings) -> None:
        """The broker has read the settings."""

    async def send(self, job: Job | AsyncTaskiqDecoratedTask[..., Any], **arguments: object) -> None:
        """Sends the job within CACHE_TIMEOUT; a failure is only logged."""
        await send(AsyncKicker[..., None](job.name, broker, {}) if isinstance(job, Job) else job, **arguments)

    async def close(self) -> None:
        """The broker closes its connections itself."""
