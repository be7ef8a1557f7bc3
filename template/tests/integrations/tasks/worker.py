"""Runs real workers and schedulers, as they are deployed."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.core.config import ROOT

STOP_TIMEOUT = 100.0

TASKIQ = str(Path(sys.executable).with_name("taskiq"))
WORKER = (TASKIQ, "worker", "app.integrations.tasks.broker:broker", "--workers", "1", "--log-level=WARNING")
SCHEDULER = (TASKIQ, "scheduler", "app.integrations.tasks.scheduler:scheduler", "--log-level=WARNING")
# Deprecated: removed in 0.6.0.
BOTH = (sys.executable, "-m", "app.worker")


class Worker:
    """A worker or scheduler, and what it has logged."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    def lines(self, message: str) -> list[dict[str, Any]]:
        """Returns the lines of its log with this message."""
        written, _, _ = self._log.read_text(encoding="utf-8").rpartition("\n")
        lines = [json.loads(line) for line in written.splitlines()]
        return [line for line in lines if line["message"] == message]

    def done(self, job: str) -> list[dict[str, Any]]:
        return [line for line in self.lines("job") if line["job"] == job]

    def kill(self) -> None:
        """Kills it together with its child processes."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Stops it, and returns its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(STOP_TIMEOUT)


@contextmanager
def running(
    command: tuple[str, ...], database_url: str, cache_url: str, log: Path, folder: Path = ROOT, /, **environment: str
) -> Iterator[Worker]:
    """Yields a process of the project in that folder, with this database, broker and settings."""
    settings = {"DATABASE_URL": database_url, "CACHE_URL": cache_url} | environment
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=os.environ | settings, stdout=output, cwd=folder, start_new_session=True
        )
    worker = Worker(process, log)
    try:
        yield worker
    finally:
        worker.stop()


def project_with(folder: Path, **modules: str) -> Path:
    """Returns the folder of a copy of this project with these modules in `app/tasks`."""
    shutil.copytree(ROOT / "app", folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name, text in modules.items():
        (folder / f"app/tasks/{name}.py").write_text(text, encoding="utf-8")
    return folder
