"""Reports errors from the start of the application to its end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app.core.config import Settings
from app.integrations.sentry.client import start_sentry, stop_sentry


def install(_: FastAPI, settings: Settings) -> None:
    """Starts Sentry."""
    start_sentry(settings)


@asynccontextmanager
async def running(_: FastAPI, __: Settings) -> AsyncIterator[None]:
    """Sends the remaining reports when the process ends."""
    try:
        yield
    finally:
        stop_sentry()
