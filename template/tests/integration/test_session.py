import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from app.api.deps import SessionDep
from app.core.database import Database
from app.core.session import after_commit


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


async def test_a_router_that_would_not_end_a_session_gets_none(database: Database) -> None:
    app = FastAPI()
    app.state.database = database

    @app.post("/")
    async def write(session: SessionDep) -> None:
        """Would never be committed."""

    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        with pytest.raises(RuntimeError, match="ResourceRouter"):
            await client.post("/")
