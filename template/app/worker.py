"""Deprecated: runs tasks and their schedule in one process, `python -m app.worker`. Removed in 0.6.0.

Taskiq's own commands, which docs/tasks.md shows, take its place.
"""

import asyncio
import signal

from taskiq.api import run_scheduler_task
from taskiq.receiver import Receiver

from app.core.config import Settings, get_settings
from app.integrations.tasks.broker import broker
from app.integrations.tasks.scheduler import scheduler

# How long tasks may take to end when the process is asked to stop, in seconds; another worker takes over the rest.
TIMEOUT_GRACEFUL_SHUTDOWN = 20


async def work(settings: Settings) -> None:
    """Runs tasks and their schedule until SIGTERM or Ctrl-C."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    broker.is_worker_process = True
    await broker.startup()
    # Each task holds a connection to the database.
    receiver = Receiver(
        broker,
        max_async_tasks=settings.DB_POOL_SIZE,
        run_startup=False,
        wait_tasks_timeout=TIMEOUT_GRACEFUL_SHUTDOWN,
    )
    scheduling = asyncio.create_task(run_scheduler_task(scheduler))
    await receiver.listen(stopping)
    scheduling.cancel()
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(work(get_settings()))
