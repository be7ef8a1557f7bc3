"""Sends the application's e-mails to a mailbox of the test."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from app.api.deps import Providers
from app.core.config import Settings
from app.core.database import Database
from app.integrations.mail.events import MailedAccountEvents
from app.integrations.mail.integration import running
from scripts.local_mail import local_mail
from tests.integrations.mail.mailbox import Mailbox


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    with local_mail(tmp_path) as url:
        yield Mailbox(url, tmp_path)


@pytest.fixture
def mail_settings(settings: Settings, mailbox: Mailbox) -> Settings:
    return settings.model_copy(
        update={
            "SMTP_URL": SecretStr(mailbox.url),
            "FRONTEND_URL": "https://app.example.com",
            "REGISTRATION_ENABLED": True,
        }
    )


@pytest.fixture
async def app(application: FastAPI, mail_settings: Settings, database: Database) -> AsyncIterator[FastAPI]:
    application.state.settings = mail_settings
    application.state.providers = Providers(mail_settings)
    application.state.providers.database = database
    async with running(application, mail_settings):
        yield application


def change(app: FastAPI, **settings: object) -> None:
    """Gives the application other settings."""
    app.state.settings = app.state.settings.model_copy(update=settings)
    app.state.providers.account_events = partial(MailedAccountEvents, settings=app.state.settings)
