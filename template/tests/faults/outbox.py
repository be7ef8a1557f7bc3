"""Runs a project whose requests put messages into the outbox, while its processes are killed."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import count

from httpx2 import AsyncClient, TransportError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.faults.conftest import LIMITS, PATIENCE
from tests.faults.processes import Api, kill_now_and_then, rows

# How many writes must be committed, and by how many writers. Each writer has a key.
WRITES = int(os.environ.get("OUTBOX_WRITES", "300"))
WRITERS = 10

# The messages that a killed process was delivering are free again after twice the time limit.
QUICK = LIMITS | {"OUTBOX_TIMEOUT": "1", "OUTBOX_POLL": "1"}

HANDLER = """
from sqlalchemy import text

from app.domain.messages import Message
from app.service.handlers import Delivery, handles


class Noted(Message):
    name: str


@handles(Noted)
async def note(message: Noted, delivery: Delivery) -> None:
    async with delivery.database.transaction() as session:
        await session.execute(text("INSERT INTO delivered (name) VALUES (:name)"), {"name": message.name})
"""

ROUTER = """
from fastapi import APIRouter
from sqlalchemy import text

from app.api.deps import SessionDep
from app.core.exceptions import ConflictError
IMPORTS

router = APIRouter(prefix="/noted")


@router.post("", status_code=201)
async def note_it(key: str, name: str, fails: bool, session: SessionDep) -> None:
    await session.execute(text("INSERT INTO written (name) VALUES (:name)"), {"name": name})
    PUT
    if fails:
        raise ConflictError
"""

# The IDs in `delivered` show the order in which the messages were delivered.
TABLES = {
    "postgresql": (
        "CREATE TABLE written (name text PRIMARY KEY)",
        "CREATE TABLE delivered (id bigserial PRIMARY KEY, name text NOT NULL)",
    ),
    "sqlite": (
        "CREATE TABLE written (name text PRIMARY KEY)",
        "CREATE TABLE delivered (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL)",
    ),
}

LEFT = text(
    "SELECT (SELECT count(*) FROM written WHERE name NOT IN (SELECT name FROM delivered))"
    " + (SELECT count(*) FROM outbox WHERE delivered_at IS NULL)"
)


def router(imports: str, put: str) -> str:
    return ROUTER.replace("IMPORTS", imports).replace("PUT", put)


@asynccontextmanager
async def tables(engine: AsyncEngine) -> AsyncIterator[None]:
    """Creates tables for what was written and for what was delivered, and drops them afterwards."""
    async with engine.connect() as connection:
        for statement in TABLES[engine.dialect.name]:
            await connection.execute(text(statement))
    yield
    async with engine.connect() as connection:
        for table in ("written", "delivered"):
            await connection.execute(text(f"DROP TABLE {table}"))
        await connection.execute(text("DELETE FROM outbox"))


async def write_under_kills(api: Api, kills: Sequence[Callable[[], None]]) -> None:
    """Writes until enough was acknowledged. Now and then, one of `kills` is called."""
    acknowledged = 0

    async def write(client: AsyncClient, writer: int) -> None:
        nonlocal acknowledged
        for number in count():
            if acknowledged >= WRITES:
                return
            fails = number % 5 == 4
            query = {"key": str(writer), "name": f"{writer}-{number}", "fails": str(fails)}
            with suppress(TransportError):
                response = await client.post("/noted", params=query)
                assert response.status_code in {409 if fails else 201, 503}, response.text
                acknowledged += response.status_code == 201

    async with AsyncClient(base_url=api.address, timeout=PATIENCE) as client, asyncio.TaskGroup() as group:
        for writer in range(WRITERS):
            group.create_task(write(client, writer))
        group.create_task(kill_now_and_then(kills, lambda: acknowledged, WRITES))


async def until_all_is_delivered(engine: AsyncEngine) -> None:
    for _ in range(2400):
        [[left]] = await rows(engine, LEFT)
        if left == 0:
            return
        await asyncio.sleep(0.05)
    raise TimeoutError(f"{left} are left")


async def names(engine: AsyncEngine, statement: str) -> list[str]:
    return [name for (name,) in await rows(engine, text(statement))]
