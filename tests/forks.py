"""Runs pytest in forks of a process that has imported the libraries, since that takes most of a short run.

Reads a line of JSON for each run, with its folder, its arguments and the file of what it prints, and writes its status.
The database is that of DATABASE_URL, which `scripts.local` sets.
"""

import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pytest

# Modules that take long to import, and that keep no state when they are imported.
LIBRARIES = [
    "_pytest.assertion.rewrite",
    "alembic.command",
    "asyncpg",
    "email_validator",
    "fastapi",
    "httpx2",
    "limits.aio",
    "psutil",
    "pwdlib.hashers.argon2",
    "pydantic_settings",
    "redis.asyncio",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "sqlalchemy.ext.asyncio",
    "starlette.middleware.cors",
    "taskiq",
    "uvicorn",
]
PLUGINS = ("--disable-plugin-autoload", "-p", "anyio.pytest_plugin", "-p", "pytest_timeout", "-p", "xdist.plugin")


def main() -> None:
    for name in LIBRARIES:
        import_module(name)
    os.environ["TEST_DATABASE_URL"] = os.environ.pop("DATABASE_URL")
    for line in sys.stdin:
        run = json.loads(line)
        child = os.fork()
        if child == 0:
            sys.exit(tests(run["folder"], run["arguments"], run["output"]))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def tests(folder: str, arguments: Sequence[str], output: str) -> int:
    os.chdir(folder)
    nothing, printed = os.open(os.devnull, os.O_RDONLY), os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor, standard in ((nothing, 0), (printed, 1), (printed, 2)):
        os.dup2(descriptor, standard)
    if not Path("app/core/postgresql.py").exists():
        del os.environ["TEST_DATABASE_URL"]
    return pytest.main([*PLUGINS, "-q", "-x", "-p", "no:cacheprovider", *arguments])


if __name__ == "__main__":
    main()
