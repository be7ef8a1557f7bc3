"""Under a real server, a response is sent only when what it promises is in the database."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import astuple
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.pool import NullPool
from uuid_utils.compat import uuid7

from app.core.config import Settings
from app.core.database import Database, create_engine
from app.core.logging import configure_logging
from app.core.passwords import hash_password
from app.core.security import Identity
from app.domain.models.base import utc_now
from app.domain.models.refresh_token import RefreshToken
from app.domain.models.user import Role, User
from app.repository.refresh_token_repository import RefreshTokenRepository
from app.repository.user_repository import UserRepository
from app.service.session_service import SessionService
from tests.api import LOGIN, REFRESH, USERS, bearer, credentials
from tests.database import ALLOW_COMMITS, REFUSE_COMMITS, REFUSED
from tests.factories.user_factory import NAME, PASSWORD, create_user, user_fields
from tests.server import running_server

# All tests use `engine`, which finally deletes what they have committed.
pytestmark = [pytest.mark.xdist_group("server"), pytest.mark.usefixtures("engine")]


@pytest.fixture(scope="module")
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(Settings(DATABASE_URL=database_url), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    yield engine
    async with engine.connect() as connection:
        await connection.execute(text("DELETE FROM users"))
    await engine.dispose()


ADMIN = {"email": "admin@example.com", "password": PASSWORD}


async def create_admin(engine: AsyncEngine) -> None:
    password_hash = await hash_password(ADMIN["password"])
    async with AsyncSession(engine) as session:
        await create_user(session, email=ADMIN["email"], password_hash=password_hash, role=Role.ADMIN)


@pytest.fixture(scope="module")
async def client(database_url: str, engine: AsyncEngine) -> AsyncIterator[AsyncClient]:
    await create_admin(engine)
    with running_server(database_url) as server:
        async with AsyncClient(base_url=server.address, timeout=100) as client:
            response = await client.post(LOGIN, **credentials(**ADMIN))
            client.headers |= bearer(response)
            yield client


@pytest.fixture
async def refusing_commit(engine: AsyncEngine) -> AsyncIterator[None]:
    """Lets the insert of a user succeed, and the commit after it fail."""
    async with engine.connect() as connection:
        for statement in REFUSE_COMMITS:
            await connection.execute(text(statement))
        yield
        for statement in ALLOW_COMMITS:
            await connection.execute(text(statement))


def user(name: str) -> dict[str, Any]:
    return user_fields(email=f"{name}@example.com")


async def exists(engine: AsyncEngine, name: str) -> bool:
    async with engine.connect() as connection:
        query = text("SELECT count(*) FROM users WHERE email = :email")
        return bool(await connection.scalar(query, {"email": f"{name}@example.com"}))


async def test_what_was_answered_with_201_is_there_for_everybody(client: AsyncClient, engine: AsyncEngine) -> None:
    response = await client.post(USERS, json=user("kept"))

    assert response.status_code == 201
    assert await exists(engine, "kept")


@pytest.mark.usefixtures("refusing_commit")
async def test_a_commit_that_fails_is_never_a_201(client: AsyncClient, engine: AsyncEngine) -> None:
    response = await client.post(USERS, json=user("lost"))

    assert response.status_code == REFUSED
    assert not await exists(engine, "lost")


async def test_of_many_at_once_one_gets_the_email(client: AsyncClient) -> None:
    responses = await asyncio.gather(*(client.post(USERS, json=user("wanted")) for _ in range(20)))

    assert sorted(response.status_code for response in responses) == [201, *[409] * 19]


async def test_of_changes_of_one_version_the_first_one_happens(client: AsyncClient) -> None:
    created = await client.post(USERS, json=user("edited"))
    path, tag = f"{USERS}/{created.json()['id']}", created.headers["ETag"]

    for number in range(20):
        changes = [{NAME: f"Of {editor} in {number}"} for editor in ("Ada", "Bob")]
        responses = await asyncio.gather(
            *(client.patch(path, json=change, headers={"If-Match": tag}) for change in changes)
        )

        assert sorted(response.status_code for response in responses) == [200, 412]
        (changed,) = (response for response in responses if response.status_code == 200)
        assert (await client.get(path)).json() == changed.json()
        tag = changed.headers["ETag"]


async def test_of_many_at_once_with_one_key_one_creates(client: AsyncClient, engine: AsyncEngine) -> None:
    body, key = user("once"), {"Idempotency-Key": "once"}

    responses = await asyncio.gather(*(client.post(USERS, json=body, headers=key) for _ in range(50)))
    responses.append(await client.post(USERS, json=body, headers=key))

    assert {response.status_code for response in responses} <= {201, 409}
    assert {response.headers["Retry-After"] for response in responses if response.status_code == 409} <= {"1"}
    assert len({response.content for response in responses if response.status_code == 201}) == 1
    assert await exists(engine, "once")


@pytest.mark.usefixtures("refusing_commit")
async def test_a_commit_that_fails_leaves_the_key_free(client: AsyncClient) -> None:
    key = {"Idempotency-Key": "lost"}

    for name in ("lost", "lost-again"):
        assert (await client.post(USERS, json=user(name), headers=key)).status_code == REFUSED


async def test_of_many_refreshes_at_once_one_succeeds_and_the_session_ends(client: AsyncClient) -> None:
    pair = (await client.post(LOGIN, **credentials(**ADMIN))).json()
    body = {"refresh_token": pair["refresh_token"]}

    responses = await asyncio.gather(*(client.post(REFRESH, json=body) for _ in range(10)))

    assert sorted(response.status_code for response in responses) == [200, *[401] * 9]
    (renewed,) = (response.json() for response in responses if response.status_code == 200)
    assert (await client.post(REFRESH, json={"refresh_token": renewed["refresh_token"]})).status_code == 401


async def test_a_change_waits_for_a_deletion_that_came_first(settings: Settings) -> None:
    database = Database(settings)
    async with database.transaction() as session:
        user = await create_user(session)

    async def change() -> User | None:
        async with database.transaction() as session:
            return await UserRepository(session).update(user.id, password_hash="too late")

    async with database.transaction() as session:
        await UserRepository(session).delete(user.id)
        changing = asyncio.create_task(change())
        await asyncio.sleep(0.3)

    assert await changing is None
    await database.close()


async def test_a_session_that_is_ended_in_the_middle_of_a_refresh_is_over(settings: Settings) -> None:
    database = Database(settings)
    async with database.transaction() as session:
        user = await create_user(session)
        caller = Identity(user.id, uuid7())

    async def add(session: AsyncSession, token: str) -> None:
        await RefreshTokenRepository(session).add(
            session_id=caller.session_id,
            user_id=user.id,
            token_hash=token,
            expires_at=utc_now() + timedelta(days=1),
        )

    async def end() -> None:
        async with database.transaction() as session:
            await SessionService(RefreshTokenRepository(session)).end(caller, caller.session_id)

    async with database.transaction() as session:
        await add(session, "old")
    # This does what `AuthService.refresh` does.
    async with database.transaction() as session:
        await UserRepository(session).lock(user.id)
        assert await RefreshTokenRepository(session).use("old")
        ending = asyncio.create_task(end())
        await asyncio.sleep(0.3)
        await add(session, "new")

    await ending
    async with database.reading() as session:
        assert await RefreshTokenRepository(session).get_user(*astuple(caller)) is None
    await database.close()


async def test_what_ends_one_session_twice_at_once_never_waits_for_each_other(settings: Settings) -> None:
    database = Database(settings)
    first, second, session_id = uuid7(), uuid7(), uuid7()
    async with database.transaction() as session:
        user = await create_user(session)
        # The table stores them in the other order, as may happen when a page of it is full.
        for token_id in (second, first):
            values = {"session_id": session_id, "user_id": user.id, "expires_at": utc_now()}
            session.add(RefreshToken(id=token_id, token_hash=str(token_id), **values))
            await session.flush()

    async def revoke() -> None:
        async with database.transaction() as session:
            await RefreshTokenRepository(session).revoke(session_id)

    async with database.transaction() as session:
        # A request that comes too late to use a token still locks it.
        await session.execute(select(RefreshToken.id).where(RefreshToken.id == first).with_for_update())
        revoking = asyncio.create_task(revoke())
        await asyncio.sleep(0.3)
        await RefreshTokenRepository(session).revoke(session_id)

    await revoking
    await database.close()


async def test_debug_logs_statements_without_their_values(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(settings)
    database = Database(settings.model_copy(update={"DEBUG": True}))
    async with database.reading() as session:
        await UserRepository(session).get_by_email("secret@example.com")
    await database.close()

    log = capsys.readouterr().out
    assert "FROM users" in log
    assert "secret@example.com" not in log
