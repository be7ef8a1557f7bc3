"""Users list and end their own sessions."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.core.database import Database
from app.core.security import digest
from app.domain.models.base import utc_now
from app.domain.models.refresh_token import RefreshToken
from app.domain.models.user import Role
from app.repository.refresh_token_repository import RefreshTokenRepository
from tests.api import LOGIN, LOGOUT, ME, REFRESH, USERS, credentials
from tests.conftest import SignIn
from tests.errors import assert_error, said
from tests.factories.user_factory import PASSWORD, user_fields

ADA = "ada@example.com"
SESSIONS = f"{ME}/sessions"
NOBODY = "01900000-0000-7000-8000-000000000000"


class Device:
    """Ada's session on one device."""

    def __init__(self, client: AsyncClient, pair: dict[str, str]) -> None:
        self.client = client
        self.pair = pair

    async def send(self, method: str, path: str) -> Any:
        headers = {"Authorization": f"Bearer {self.pair['access_token']}"}
        return await self.client.request(method, path, headers=headers)

    async def sessions(self) -> list[dict[str, Any]]:
        sessions: list[dict[str, Any]] = (await self.send("GET", SESSIONS)).json()
        return sessions

    async def own_id(self) -> str:
        (own,) = [session["id"] for session in await self.sessions() if session["current"]]
        return str(own)

    async def refresh(self, user_agent: str) -> int:
        body = {"refresh_token": self.pair["refresh_token"]}
        response = await self.client.post(REFRESH, json=body, headers={"User-Agent": user_agent})
        if response.status_code == 200:
            self.pair = response.json()
        return response.status_code

    async def has_ended(self) -> bool:
        return [(await self.send("GET", ME)).status_code, await self.refresh("x")] == [401, 401]


async def sign_in_with(client: AsyncClient, user_agent: bytes) -> Device:
    response = await client.post(LOGIN, **credentials(ADA, PASSWORD), headers={b"User-Agent": user_agent})
    assert response.status_code == 200
    return Device(client, response.json())


@pytest.fixture
async def phone(client: AsyncClient, admin: AsyncClient) -> Device:
    assert (await admin.post(USERS, json=user_fields(email=ADA))).status_code == 201
    return await sign_in_with(client, b"Phone")


@pytest.fixture
async def laptop(client: AsyncClient, phone: Device) -> Device:
    assert phone
    return await sign_in_with(client, b"Laptop")


class TestList:
    async def test_shows_each_session_and_which_one_asks(self, phone: Device, laptop: Device) -> None:
        sessions = await laptop.sessions()

        assert [(session["user_agent"], session["current"]) for session in sessions] == [
            ("Laptop", True),
            ("Phone", False),
        ]
        assert [session["current"] for session in await phone.sessions()] == [True, False]
        for session in sessions:
            assert set(session) == {"id", "created_at", "last_used_at", "user_agent", "client", "current"}
            assert session["client"] == "127.0.0.1"
            assert session["created_at"] <= session["last_used_at"]

    async def test_a_refresh_says_when_and_with_what_a_session_was_last_used(self, phone: Device) -> None:
        (before,) = await phone.sessions()

        assert await phone.refresh("Phone after its update") == 200

        (after,) = await phone.sessions()
        assert (after["id"], after["created_at"]) == (before["id"], before["created_at"])
        assert after["last_used_at"] > before["last_used_at"]
        assert after["user_agent"] == "Phone after its update"

    async def test_has_neither_those_that_ended_nor_those_that_expired(
        self, client: AsyncClient, database: Database, phone: Device, laptop: Device
    ) -> None:
        old = await sign_in_with(client, b"Old")
        async with database.transaction() as session:
            expired = update(RefreshToken).where(RefreshToken.session_id == UUID(await old.own_id()))
            await session.execute(expired.values(expires_at=utc_now()))
        await client.post(LOGOUT, json={"refresh_token": laptop.pair["refresh_token"]})

        assert [session["user_agent"] for session in await phone.sessions()] == ["Phone"]

    @pytest.mark.usefixtures("phone")
    @pytest.mark.parametrize(
        ("sent", "shown"),
        [
            (b"", None),
            (b" \x1b[31m\tred\x00\r\n ", "[31m red"),
            (b"a\x9bb\xadc", "a b c"),
            ("Müller".encode("latin-1"), "Müller"),
            (b"x" * 5000, "x" * 200),
            (b"<script>'\"", "<script>'\""),
        ],
    )
    async def test_what_a_device_calls_itself_is_one_short_line(
        self, client: AsyncClient, sent: bytes, shown: str | None
    ) -> None:
        device = await sign_in_with(client, sent)

        assert [session["user_agent"] for session in await device.sessions() if session["current"]] == [shown]

    async def test_is_bounded_and_has_the_session_that_asks(self, phone: Device, session: AsyncSession) -> None:
        user_id = UUID((await phone.send("GET", ME)).json()["id"])
        for number in range(101):
            await RefreshTokenRepository(session).add(
                session_id=uuid7(),
                user_id=user_id,
                token_hash=digest(str(number)),
                expires_at=utc_now() + timedelta(days=1),
            )

        sessions = await phone.sessions()

        assert len(sessions) == 100
        assert sessions[0]["current"]


class TestEnd:
    async def test_one_of_one_s_own_ends_at_once(self, phone: Device, laptop: Device) -> None:
        path = f"{SESSIONS}/{await laptop.own_id()}"

        assert (await phone.send("DELETE", path)).status_code == 204

        assert await laptop.has_ended()
        assert len(await phone.sessions()) == 1
        assert (await phone.send("DELETE", path)).status_code == 404

    async def test_the_one_that_asks(self, phone: Device) -> None:
        assert (await phone.send("DELETE", f"{SESSIONS}/{await phone.own_id()}")).status_code == 204

        assert await phone.has_ended()

    async def test_somebody_else_s_looks_like_none(self, sign_in: SignIn, admin: AsyncClient, phone: Device) -> None:
        for other in (admin, await sign_in(Role.USER)):
            response = await other.delete(f"{SESSIONS}/{await phone.own_id()}")

            assert_error(response, 404)
            assert said(response) == said(await other.delete(f"{SESSIONS}/{NOBODY}"))
            assert "Phone" not in (await other.get(SESSIONS)).text

        assert not await phone.has_ended()

    async def test_all_others_and_nobody_else_s(
        self, client: AsyncClient, admin: AsyncClient, phone: Device, laptop: Device
    ) -> None:
        tablet = await sign_in_with(client, b"Tablet")

        assert (await phone.send("DELETE", SESSIONS)).status_code == 204

        assert [await laptop.has_ended(), await tablet.has_ended(), await phone.has_ended()] == [True, True, False]
        assert (await admin.get(ME)).status_code == 200


async def test_a_session_that_ended_keeps_nothing_of_its_device(
    database: Database, client: AsyncClient, phone: Device, laptop: Device
) -> None:
    await phone.refresh("Phone")
    await client.post(LOGOUT, json={"refresh_token": laptop.pair["refresh_token"]})

    async with database.reading() as session:
        known = (await session.execute(select(RefreshToken.user_agent, RefreshToken.client))).all()

    assert [device for device in known if device != (None, None)] == [("Phone", "127.0.0.1")]
