"""Only development shows the mailbox in the browser."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from app.core.config import Settings
from app.integrations.mail import preview
from app.integrations.mail.letters import letter
from app.integrations.mail.smtp import send
from app.main import create_app
from tests.integrations.mail.mailbox import Mailbox
from tests.integrations.mail.test_smtp import ADA, LETTER


def browser(app: FastAPI) -> AsyncClient:
    return AsyncClient(transport=ASGITransport(app), base_url="http://test")


async def get(path: str, environment: str) -> tuple[int, str, str]:
    settings = Settings().model_copy(update={"ENVIRONMENT": environment})
    async with browser(create_app(settings)) as client:
        response = await client.get(f"/dev/mail{path}")
    return response.status_code, response.text, response.headers.get("Content-Security-Policy", "")


async def test_development_shows_the_mails(
    mailbox: Mailbox, mail_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "MAILS", mailbox.folder)
    assert "There is none yet" in (await get("", "development"))[1]
    hostile = LETTER | {"name": "<script>alert(1)</script>"}
    await send(mail_settings, letter(mail_settings, ADA, "verify_email", **hostile), ADA)

    status, page, policy = await get("", "development")
    [file] = mailbox.folder.glob("*.eml")
    _, mail, policy_of_mail = await get(f"/{file.stem}", "development")

    assert status == 200
    assert f"to {ADA}" in page
    assert f'href="mail/{file.stem}"' in page
    assert "<script" not in page + mail
    assert "sandbox" in policy
    assert policy == policy_of_mail


@pytest.mark.parametrize("name", ["none", "..%2F..%2Fetc%2Fpasswd", "*"])
async def test_what_is_no_mail_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(preview, "MAILS", tmp_path)

    assert (await get(f"/{name}", "development"))[0] == 404


@pytest.mark.parametrize("environment", ["test", "staging", "production"])
async def test_nothing_else_has_it(environment: str) -> None:
    assert (await get("", environment))[0] == 404
