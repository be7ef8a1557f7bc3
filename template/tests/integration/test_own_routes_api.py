"""A project's own routes can use versions and keys, and nothing is committed if they use them wrongly."""

from contextlib import suppress
from uuid import UUID

import pytest
from fastapi import Depends, FastAPI, Response
from httpx2 import AsyncClient
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.conditions import ChangeDep
from app.api.creation import CreationDep
from app.api.deps import SessionDep
from app.api.v1.user_router import UserServiceDep
from app.core.config import Settings
from app.domain.models.stored_response import StoredResponse
from app.domain.models.user import Role, User
from app.domain.schemas.user import UserCreate, UserResponse
from tests.api import PREFIX, USERS
from tests.factories.user_factory import user_fields

KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}


async def ask_first(session: SessionDep) -> None:
    await session.execute(select(1))


@pytest.fixture(scope="session")
def application(settings: Settings) -> FastAPI:
    from app.main import create_app  # noqa: PLC0415 (makes an application at import, from the settings of the tests)

    app = create_app(settings)

    @app.post(f"{PREFIX}/after-a-statement", dependencies=[Depends(ask_first)])
    async def create_after_a_statement(
        data: UserCreate, service: UserServiceDep, response: Response, creation: CreationDep
    ) -> UserResponse:
        response.set_cookie("theme", "dark")
        return await creation.respond(await service.create(data), UserResponse)

    @app.post(f"{PREFIX}/whatever-happens")
    async def create_whatever_happens(
        data: UserCreate, service: UserServiceDep, session: SessionDep, creation: CreationDep
    ) -> UserResponse:
        with suppress(Exception):
            await session.execute(select(1))
        return await creation.respond(await service.create(data), UserResponse)

    @app.delete(PREFIX + "/directly/{user_id}")
    async def delete_directly(user_id: UUID, session: SessionDep, change: ChangeDep) -> None:
        change.expect(user_id)
        await session.execute(delete(User).where(User.id == user_id))

    return app


async def test_a_transaction_that_has_begun_takes_the_key_as_well(admin: AsyncClient, session: AsyncSession) -> None:
    body = user_fields()

    first, again = [await admin.post("/after-a-statement", json=body, headers=KEY) for _ in range(2)]

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    stored = (await session.scalars(select(StoredResponse))).one()
    assert stored.headers.keys() == {"Location", "ETag"}


async def test_a_route_that_ignores_the_refusal_creates_nothing(admin: AsyncClient, session: AsyncSession) -> None:
    assert (await admin.post("/whatever-happens", json=user_fields(), headers=KEY)).status_code == 200

    assert (await admin.post("/whatever-happens", json=user_fields(), headers=KEY)).status_code == 500

    assert await session.scalar(select(func.count()).where(User.role == Role.USER)) == 1


async def test_a_change_that_checks_no_version_is_not_committed(admin: AsyncClient) -> None:
    user_id = (await admin.post(USERS, json=user_fields())).json()["id"]

    refused = await admin.delete(f"/directly/{user_id}", headers={"If-Match": '"7"'})

    assert refused.status_code == 500
    assert (await admin.get(f"{USERS}/{user_id}")).status_code == 200
    assert (await admin.delete(f"/directly/{user_id}")).status_code == 200
    assert (await admin.get(f"{USERS}/{user_id}")).status_code == 404
