"""The processes of `taskiq worker` and `taskiq scheduler`: each is the application without its server."""

import logging
from contextlib import AsyncExitStack
from importlib import import_module

from loguru import logger
from taskiq import TaskiqState

from app.integrations.tasks.discovery import discover_tasks

_application = AsyncExitStack()


async def start_application(state: TaskiqState) -> None:
    """Enters the database and the integrations, and configures the log."""
    main = import_module("app.main")  # not before: it imports the broker
    # Taskiq's commands make its logger report every message; like other libraries, it should report only problems.
    logging.getLogger("taskiq").setLevel(logging.NOTSET)
    await _application.enter_async_context(main.running(main.app))
    state.providers = main.app.state.providers


async def stop_application(_: TaskiqState) -> None:
    """Leaves everything that `start_application` entered."""
    await _application.aclose()


async def start_worker(state: TaskiqState) -> None:
    """Starts the application in a worker."""
    discover_tasks()
    await start_application(state)
    logger.info("worker started")


async def stop_worker(state: TaskiqState) -> None:
    """Stops the application in a worker."""
    await stop_application(state)
    logger.info("worker stopped")
