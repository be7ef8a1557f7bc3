"""Runs processes that are killed at work, and start again."""

import asyncio
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import TextClause
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import ROOT
from scripts.ports import free_port
from tests.api import PREFIX
from tests.server import STOP_TIMEOUT, wait_for
from tests.waiting import ATTEMPTS, PAUSE, until

SEED = 23


def project_with(folder: Path, files: dict[str, str]) -> Path:
    """Returns the folder of a copy of this project with these files."""
    shutil.copytree(ROOT / "app", folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name, written in files.items():
        (folder / name).write_text(written, encoding="utf-8")
    return folder


class Process:
    """A process that is started again when it is killed."""

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
        """Kills it together with its child processes, and starts it again."""
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


async def kill_now_and_then(kills: Sequence[Callable[[], None]], done: Callable[[], int], total: int) -> None:
    """Calls one of `kills` each time that about another tenth of the total is done."""
    chance = random.Random(SEED)
    threshold = 0.0
    while (threshold := threshold + chance.uniform(0.05, 0.15) * total) < total:
        await until(lambda: done() >= threshold)
        await asyncio.to_thread(chance.choice(kills))


async def rows(engine: AsyncEngine, statement: TextClause) -> Sequence[Any]:
    """Returns the rows of the statement, once the database has recovered."""
    for _ in range(ATTEMPTS):
        with suppress(DBAPIError, OSError):
            async with engine.connect() as connection:
                return (await connection.execute(statement)).all()
        await asyncio.sleep(PAUSE)
    raise TimeoutError
