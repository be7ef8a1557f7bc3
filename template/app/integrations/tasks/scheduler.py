"""Sends the tasks that are due: `taskiq scheduler app.integrations.tasks.scheduler:scheduler`."""

import asyncio
import signal

from loguru import logger
from taskiq import TaskiqEvents, TaskiqScheduler, TaskiqState

from app.integrations.tasks.broker import broker
from app.integrations.tasks.discovery import discover_tasks
from app.integrations.tasks.process import start_application, stop_application
from app.integrations.tasks.schedule import SharedSchedule

discover_tasks()
scheduler = TaskiqScheduler(broker, [SharedSchedule(broker)])


@broker.on_event(TaskiqEvents.CLIENT_STARTUP)
async def start_scheduler(state: TaskiqState) -> None:
    """Starts the application in a scheduler."""
    if not broker.is_scheduler_process:
        return
    # Taskiq's command shuts down when it is cancelled, but does not handle SIGTERM, which stops containers.
    if (command := asyncio.current_task()) is not None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, command.cancel)
    await start_application(state)
    logger.info("scheduler started")


@broker.on_event(TaskiqEvents.CLIENT_SHUTDOWN)
async def stop_scheduler(state: TaskiqState) -> None:
    """Stops the application in a scheduler."""
    if broker.is_scheduler_process:
        await stop_application(state)
        logger.info("scheduler stopped")
