"""A project whose requests put messages, under writers and somebody who kills what it runs on."""

import asyncio
import os
import random
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path

from httpx2 import AsyncClient, TransportError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import ROOT
from scripts.ports import free_port
from tests.api import PREFIX
from tests.faults.conftest import LIMITS, PATIENCE
from tests.server import STOP_TIMEOUT, wait_for
from tests.waiting import until

# How many committed writes there shall be, and by how many writers: each has a key.
WRITES = int(os.environ.get("OUTBOX_WRITES", "300"))
WRITERS = 10
SEED = 23

# What a killed process was delivering is free again after twice the time limit.
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

# In this order they were delivered.
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


def project_with(folder: Path, files: dict[str, str]) -> Path:
    """A copy of this project with these files."""
    shutil.copytree(ROOT / "app", folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name, written in files.items():
        (folder / name).write_text(written, encoding="utf-8")
    return folder


class Process:
    """One that is killed and comes back."""

    def __init__(self, folder: Path, command: Sequence[str], **environment: str) -> None:
        self._folder, self._command, self._environment = folder, command, environment
        self.start()

    def start(self) -> None:
        environment = os.environ | self._environment
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, env=environment, stdout=log, start_new_session=True
            )

    def kill(self) -> None:
        """With the processes that it has started; another one takes its place."""
        os.killpg(self._process.pid, 9)
        self._process.wait()
        self.start()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(STOP_TIMEOUT)


class Api(Process):
    def __init__(self, folder: Path, **environment: str) -> None:
        port = free_port()
        self.address = f"http://127.0.0.1:{port}{PREFIX}"
        super().__init__(folder, (sys.executable, "-m", "app"), PORT=str(port), **environment)

    def start(self) -> None:
        super().start()
        wait_for(f"{self.address}/health")


@asynccontextmanager
async def tables(engine: AsyncEngine) -> AsyncIterator[None]:
    """Of what was written, and of what was delivered."""
    async with engine.connect() as connection:
        for statement in TABLES[engine.dialect.name]:
            await connection.execute(text(statement))
    yield
    async with engine.connect() as connection:
        for table in ("written", "delivered"):
            await connection.execute(text(f"DROP TABLE {table}"))
        await connection.execute(text("DELETE FROM outbox"))


async def write_under_kills(api: Api, kills: Sequence[Callable[[], None]]) -> None:
    """Until enough was acknowledged. Every now and then one of these happens."""
    chance = random.Random(SEED)
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

    async def kill() -> None:
        threshold = 0.0
        while (threshold := threshold + chance.uniform(0.05, 0.15) * WRITES) < WRITES:
            await until(lambda: acknowledged >= threshold)
            await asyncio.to_thread(chance.choice(kills))

    async with AsyncClient(base_url=api.address, timeout=PATIENCE) as client, asyncio.TaskGroup() as group:
        for writer in range(WRITERS):
            group.create_task(write(client, writer))
        group.create_task(kill())


async def until_all_is_delivered(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        for _ in range(2400):
            if await connection.scalar(LEFT) == 0:
                return
            await asyncio.sleep(0.05)
        raise TimeoutError(f"{await connection.scalar(LEFT)} are left")


async def names(engine: AsyncEngine, statement: str) -> list[str]:
    async with engine.connect() as connection:
        return list((await connection.scalars(text(statement))).all())
