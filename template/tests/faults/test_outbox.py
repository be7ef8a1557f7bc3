"""Whatever is killed, only messages of committed transactions are delivered, all of them, in the order of each key."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.database import Service
from tests.faults.outbox import (
    HANDLER,
    QUICK,
    WRITES,
    names,
    router,
    tables,
    until_all_is_delivered,
    write_under_kills,
)
from tests.faults.processes import Api, project_with

FILES = {
    "app/handlers/noted.py": HANDLER,
    "app/api/v1/noted_router.py": router(
        "from app.handlers.noted import Noted\nfrom app.repository.outbox_repository import put_message",
        "await put_message(session, Noted(name=name), key=key)",
    ),
}


@pytest.fixture
def api(migrated: Service, tmp_path: Path) -> Iterator[Api]:
    api = Api(project_with(tmp_path / "project", FILES), DATABASE_URL=migrated.url, **QUICK)
    yield api
    api.stop()


async def test_under_kills_what_was_committed_is_delivered_in_order_and_nothing_else(
    api: Api, migrated: Service, engine: AsyncEngine
) -> None:
    kills = [api.kill, *([migrated.crash] if hasattr(migrated, "crash") else [])]
    async with tables(engine):
        await write_under_kills(api, kills)
        await until_all_is_delivered(engine)

        written = await names(engine, "SELECT name FROM written")
        delivered = await names(engine, "SELECT name FROM delivered ORDER BY id")

    assert len(written) >= WRITES
    assert set(delivered) == set(written)
    first = list(dict.fromkeys(delivered))
    for key in {name.partition("-")[0] for name in written}:
        numbers = [int(name.partition("-")[2]) for name in first if name.partition("-")[0] == key]
        assert numbers == sorted(numbers)
