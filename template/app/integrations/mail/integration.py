"""Wires e-mails into the application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from loguru import logger

from app.api.deps import Providers
from app.api.errors import errors
from app.core.config import Settings
from app.integrations.mail.account_router import router
from app.integrations.mail.events import MailedAccountEvents
from app.integrations.mail.handlers import HANDLED
from app.integrations.mail.preview import router as preview


def install(app: FastAPI, settings: Settings) -> None:
    """Adds the routes of accounts, and in development the mailbox."""
    app.include_router(router, prefix=settings.API_V1_PREFIX, responses=errors(500))
    if settings.ENVIRONMENT == "development":
        app.include_router(preview)


@asynccontextmanager
async def running(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Sends e-mails about the events of accounts. Without `SMTP_URL` they wait in the outbox."""
    providers: Providers = app.state.providers
    providers.account_events = partial(MailedAccountEvents, settings=settings)
    if settings.SMTP_URL is None:
        providers.outbox.left_alone |= HANDLED
        logger.warning("SMTP_URL is not set: e-mails wait in the outbox")
    yield
