"""Traces the application from its start to its end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app.core.config import Settings
from app.integrations.tracing.provider import start_tracing, stop_tracing


def install(_: FastAPI, settings: Settings) -> None:
    """Starts OpenTelemetry."""
    start_tracing(settings)


@asynccontextmanager
async def running(_: FastAPI, __: Settings) -> AsyncIterator[None]:
    """Sends the remaining spans when the process ends."""
    try:
        yield
    finally:
        stop_tracing()
