"""Sends tasks where the caller can neither wait nor handle a failure."""

import asyncio
from typing import Any

from loguru import logger
from taskiq import AsyncTaskiqDecoratedTask
from taskiq.exceptions import SendTaskError
from taskiq.kicker import AsyncKicker

from app.core.config import get_settings

UNSENT = (SendTaskError, TimeoutError)


async def send(
    task: AsyncTaskiqDecoratedTask[..., Any] | AsyncKicker[..., Any], *positional: object, **named: object
) -> None:
    """Sends a task as `kiq` does, for `after_commit`: within CACHE_TIMEOUT, and a failure is only logged."""
    try:
        async with asyncio.timeout(get_settings().CACHE_TIMEOUT):
            await task.kiq(*positional, **named)
    except UNSENT as error:
        logger.bind(job=task.task_name, error=type(error.__cause__ or error).__name__).error("a job was not sent")
