"""Follows an account from the first e-mail to the last sign-out, on a real server and by SMTP."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest
from httpx2 import AsyncClient
from pydantic import SecretStr
from sqlalchemy import delete

from app.core.config import Settings
from app.core.database import Database
from app.domain.models.outbox_message import OutboxMessage
from app.domain.models.user import User
from scripts.seed import seed
from tests.api import AUTH, LOGIN, LOGOUT, ME, REGISTER, USERS, bearer, credentials
from tests.factories.user_factory import PASSWORD, user_fields
from tests.integrations.mail.mailbox import Mailbox
from tests.server import Server, running_server
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("server")

ADA, NEW, BOB = "ada@example.com", "ada@new.example.com", "bob@example.com"
ADMIN = "admin@example.com"


@pytest.fixture
async def server(settings: Settings, mailbox: Mailbox) -> AsyncIterator[Server]:
    mail = {"SMTP_URL": mailbox.url, "REQUIRE_VERIFIED_EMAIL": "true", "SIGN_IN_NOTICE": "true"}
    with running_server(settings.database_url, REGISTRATION_ENABLED="true", **mail) as server:
        yield server
    database = Database(settings)
    async with database.transaction() as session:
        await session.execute(delete(OutboxMessage))
        await session.execute(delete(User))
    await database.close()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(base_url=server.address, timeout=100) as client:
        yield client


def arrived(mailbox: Mailbox, to: str, count: int) -> Callable[[], bool]:
    return lambda: len(mailbox.mails(to)) >= count


async def login(client: AsyncClient, email: str, password: str) -> int:
    response = await client.post(LOGIN, **credentials(email, password))
    if response.status_code == 200:
        client.headers |= bearer(response)
    return response.status_code


async def test_a_life(client: AsyncClient, mailbox: Mailbox) -> None:
    assert (await client.post(REGISTER, json=user_fields(email=ADA))).status_code == 201
    assert await login(client, ADA, PASSWORD) == 403
    await until(arrived(mailbox, ADA, 1))
    assert (await client.post(f"{AUTH}/verify-email", json={"token": mailbox.token(ADA)})).status_code == 204

    assert await login(client, ADA, PASSWORD) == 200
    await until(arrived(mailbox, ADA, 2))
    assert "sign-in" in mailbox.subjects(ADA)[-1]

    assert (await client.post(f"{AUTH}/forgot-password", json={"email": ADA})).status_code == 202
    await until(arrived(mailbox, ADA, 3))
    body = {"token": mailbox.token(ADA), "new_password": "a new password"}
    used = await asyncio.gather(*(client.post(f"{AUTH}/reset-password", json=body) for _ in range(10)))
    assert Counter(response.status_code for response in used) == {204: 1, 401: 9}
    assert (await client.get(ME)).status_code == 401
    assert await login(client, ADA, "a new password") == 200
    await until(arrived(mailbox, ADA, 5))
    assert sorted("sign-in" in subject for subject in mailbox.subjects(ADA)[3:]) == [False, True]

    change = {"new_email": NEW, "current_password": "a new password"}
    assert (await client.post(f"{ME}/email", json=change)).status_code == 202
    await until(arrived(mailbox, NEW, 1))
    assert (await client.post(f"{AUTH}/confirm-email", json={"token": mailbox.token(NEW)})).status_code == 204
    await until(arrived(mailbox, ADA, 6))
    assert (await client.get(ME)).json()["email"] == NEW

    assert len((await client.get(f"{ME}/sessions")).json()) == 1
    response = await client.post(LOGIN, **credentials(NEW, "a new password"))
    assert response.status_code == 200
    assert len((await client.get(f"{ME}/sessions")).json()) == 2
    assert (await client.delete(f"{ME}/sessions")).status_code == 204
    token = {"refresh_token": response.json()["refresh_token"]}
    assert (await client.post(f"{AUTH}/refresh", json=token)).status_code == 401
    [session] = (await client.get(f"{ME}/sessions")).json()
    assert (await client.delete(f"{ME}/sessions/{session['id']}")).status_code == 204
    assert (await client.get(ME)).status_code == 401
    assert (await client.post(LOGOUT, json=token)).status_code == 204


async def test_an_invitation(client: AsyncClient, settings: Settings, mailbox: Mailbox) -> None:
    admin = {"FIRST_ADMIN_EMAIL": ADMIN, "FIRST_ADMIN_PASSWORD": SecretStr(PASSWORD)}
    await seed(settings.model_copy(update=admin))
    assert await login(client, ADMIN, PASSWORD) == 200

    body = user_fields(email=BOB, role="moderator")
    del body["password"]
    assert (await client.post(USERS, json=body)).status_code == 201
    await until(arrived(mailbox, BOB, 1))
    chosen = {"token": mailbox.token(BOB), "new_password": "chosen by Bob"}
    assert (await client.post(f"{AUTH}/reset-password", json=chosen)).status_code == 204

    assert await login(client, BOB, "chosen by Bob") == 200
    assert (await client.get(ME)).json()["role"] == "moderator"
