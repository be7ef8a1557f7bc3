"""Helpers of scripts that use the database once: they wait for it, and fail with a sentence if it is not available."""

import asyncio
import sys
import threading
from collections.abc import Coroutine

from sqlalchemy.exc import DBAPIError

from app.core.config import Settings
from app.core.database import Database
from app.core.database_errors import OUTAGES, reason

UNAVAILABLE: tuple[type[Exception], ...] = (DBAPIError, *OUTAGES)

# In seconds. No request waits for a script, so it can wait for a database that is busy or just starting.
PATIENCE = 30.0


def patient_database(settings: Settings) -> Database:
    """Returns the database, with at least `PATIENCE` seconds to get a connection."""
    return Database(settings.model_copy(update={"DB_POOL_TIMEOUT": max(PATIENCE, settings.DB_POOL_TIMEOUT)}))


def say(work: Coroutine[None, None, str]) -> None:
    """Runs the work and prints its result. Raises SystemExit with a sentence if the database is not available."""
    print(asyncio.run(_or_a_sentence(work)))


async def _or_a_sentence(work: Coroutine[None, None, str]) -> str:
    try:
        return await work
    except UNAVAILABLE as error:
        # A thread of the driver of SQLite may find this loop closed, and would print a traceback about it.
        threading.excepthook = lambda _: None
        sys.exit(f"The database is not available: {reason(error)}")
