"""Wires the tasks into the application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app.api.deps import Providers
from app.core.config import Settings
from app.integrations.tasks.broker import broker
from app.integrations.tasks.discovery import discover_tasks
from app.integrations.tasks.erase_sessions import ErasingRefreshTokenRepository
from app.tasks.queue import Queue


@asynccontextmanager
async def running(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Connects to the broker, unless Taskiq's own commands have done so."""
    providers: Providers = app.state.providers
    providers.refresh_token_repository = ErasingRefreshTokenRepository
    app.state.queue = Queue(settings)  # deprecated: removed in 0.6.0
    # Taskiq's own commands start the broker, and the application with it.
    is_client = not (broker.is_worker_process or broker.is_scheduler_process)
    if is_client:
        discover_tasks()
        await broker.startup()
    try:
        yield
    finally:
        if is_client:
            await broker.shutdown()
