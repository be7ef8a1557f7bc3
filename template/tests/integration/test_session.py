"""Routes get their sessions in any router, as FastAPI documents it."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from fastapi import APIRouter, FastAPI, HTTPException
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.deps import Providers, SessionDep, TransactionDep
from app.core.config import Settings
from app.core.database import Database
from app.core.read_only import ReadOnlySessionError
from app.core.session import after_commit
from app.domain.models.user import User
from tests.factories.user_factory import create_user, user_row

router = APIRouter(prefix="/things")


@router.post("")
async def write(session: SessionDep) -> None:
    await create_user(session, email="by-post@test.example")


@router.post("/refused")
async def write_and_refuse(session: SessionDep) -> None:
    await create_user(session, email="refused@test.example")
    raise HTTPException(418)


@router.get("")
async def read(session: SessionDep) -> int:
    return await session.scalar(sa.select(sa.func.count()).select_from(User)) or 0


@router.get("/add")
async def add(session: SessionDep) -> None:
    session.add(User(**user_row()))


@router.get("/write")
async def write_in_get(session: TransactionDep) -> None:
    await create_user(session, email="by-get@test.example")


@pytest.fixture
async def plain(settings: Settings, database: Database) -> AsyncIterator[AsyncClient]:
    """Yields a client of an application that has nothing of ours but the session."""
    app = FastAPI()
    app.state.settings = settings
    app.state.providers = Providers(settings)
    app.state.providers.database = database
    app.include_router(router)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        yield client


async def emails(session: AsyncSession) -> list[str]:
    return list((await session.scalars(sa.select(User.email))).all())


async def test_a_plain_router_commits_what_it_writes(plain: AsyncClient, session: AsyncSession) -> None:
    assert (await plain.post("/things")).status_code == 200

    assert await emails(session) == ["by-post@test.example"]
    assert (await plain.get("/things")).json() == 1


async def test_a_plain_router_rolls_back_what_it_refuses(plain: AsyncClient, session: AsyncSession) -> None:
    assert (await plain.post("/things/refused")).status_code == 418

    assert await emails(session) == []


async def test_a_get_may_write_if_it_says_so(plain: AsyncClient, session: AsyncSession) -> None:
    assert (await plain.get("/things/write")).status_code == 200

    assert await emails(session) == ["by-get@test.example"]


async def test_a_get_that_writes_without_saying_so_is_told(plain: AsyncClient, session: AsyncSession) -> None:
    with pytest.raises(ReadOnlySessionError, match="a GET that writes or locks takes TransactionDep"):
        await plain.get("/things/add")

    assert await emails(session) == []


WRITES = [
    sa.insert(User).values(**user_row()),
    sa.update(User).values(is_active=False),
    sa.delete(User),
    sa.select(sa.update(User).values(is_active=False).returning(User.id).cte()),
    sa.text("UPDATE users SET email = 'a'"),
    sa.text("  -- select\n DELETE FROM users"),
    sa.text("/* select */ TRUNCATE users"),
    sa.text("WITH gone AS (DELETE FROM users RETURNING id) SELECT * FROM gone"),
    sa.text("SELECT * INTO others FROM users"),
    sa.text("SELECT id FROM users FOR UPDATE"),
    sa.text("select id from users for no key update"),
    sa.text("SELECT id FROM users FOR SHARE"),
    sa.text("DROP TABLE users"),
]


@pytest.mark.parametrize("statement", WRITES, ids=lambda statement: " ".join(str(statement).split())[:50])
async def test_a_session_that_reads_refuses_to_write_or_lock(
    database: Database, session: AsyncSession, statement: sa.Executable
) -> None:
    user = await create_user(session, email="unchanged@test.example")
    await session.commit()

    async with database.reading() as reading:
        with pytest.raises(ReadOnlySessionError):
            await reading.execute(statement)
        assert await reading.scalar(sa.select(User.email)) == "unchanged@test.example"
    assert await emails(session) == [user.email]


READS = [
    sa.select(User.id).where(User.email == "INSERT INTO users FOR UPDATE"),
    sa.select(User.id.label("for update")),
    sa.text("SELECT 'DELETE FROM users'"),
    sa.text("SELECT id FROM users UNION SELECT id FROM users"),
    sa.text("WITH every AS (SELECT id FROM users) SELECT * FROM every -- for update"),
    sa.text("VALUES (1)"),
]


@pytest.mark.parametrize("statement", READS, ids=lambda statement: " ".join(str(statement).split())[:50])
async def test_a_session_that_reads_runs_whatever_reads(database: Database, statement: sa.Executable) -> None:
    async with database.reading() as reading:
        await reading.execute(statement)


async def change(database: Database, email: str) -> None:
    async with database.reading() as reading:
        user = (await reading.scalars(sa.select(User))).one()
        user.email = email


async def test_a_change_of_a_record_that_was_read_is_refused(database: Database, session: AsyncSession) -> None:
    await create_user(session, email="unchanged@test.example")
    await session.commit()

    with pytest.raises(ReadOnlySessionError):
        await change(database, "changed@test.example")

    assert await emails(session) == ["unchanged@test.example"]


async def test_the_database_that_requests_have_refuses_writes_on_each_path(settings: Settings) -> None:
    """This needs another database than that of the tests, whose sessions share a connection."""
    database = Database(settings)
    statement = "UPDATE users SET email = 'a'"

    async with database.reading() as reading:
        with pytest.raises(ReadOnlySessionError):
            await reading.execute(sa.text(statement))
        connection = await reading.connection()
        with pytest.raises(ReadOnlySessionError):
            await connection.exec_driver_sql(statement)
        with pytest.raises(ReadOnlySessionError):
            await reading.execute(sa.delete(User))
        assert await reading.scalar(sa.text("SELECT 1")) == 1
    await database.close()


async def test_a_snapshot_sees_one_moment_and_no_writer_waits_for_it(settings: Settings) -> None:
    database = Database(settings)
    count = sa.select(sa.func.count()).select_from(User)
    async with database.snapshot() as snapshot:
        before = await snapshot.scalar(count)
        async with database.transaction() as session:
            await create_user(session, email="later@example.com")
        assert await snapshot.scalar(count) == before
        with pytest.raises(ReadOnlySessionError):
            await snapshot.execute(sa.delete(User))

    async with database.transaction() as session:
        later = await session.scalars(sa.delete(User).where(User.email == "later@example.com").returning(User.id))
        assert len(later.all()) == 1
    await database.close()


async def test_what_is_left_for_after_the_commit_is_done_once_and_then(database: Database) -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("work")

    async with database.transaction() as session:
        after_commit(session, work)
        assert done == []
        await session.commit()
        assert done == ["work"]
    assert done == ["work"]


async def test_what_is_rolled_back_is_followed_by_nothing(database: Database) -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("work")

    async def fail() -> None:
        async with database.transaction() as session:
            after_commit(session, work)
            raise ValueError

    async with database.transaction() as session:
        after_commit(session, work)
        await session.rollback()
    with pytest.raises(ValueError):  # noqa: PT011 (ours)
        await fail()
    assert done == []
