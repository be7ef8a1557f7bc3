"""Every endpoint works through PgBouncer with the settings in docs/kubernetes.md, each of which is needed."""

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from scripts.demo import free_port
from scripts.new import ROOT
from scripts.smoke import check_every_endpoint
from tests.conftest import Render, run

pytestmark = pytest.mark.slow

ADMIN = {"FIRST_ADMIN_EMAIL": "admin@example.com", "FIRST_ADMIN_PASSWORD": "correct horse battery"}
DATABASE_URL = re.compile(r"postgresql://(?P<user>\w+):@/(?P<name>\w+)\?host=(?P<folder>.+)")


@pytest.fixture(scope="module")
def pgbouncer() -> str:
    """Returns the command of a PgBouncer that supports prepared statements."""
    command = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    if not command:
        pytest.skip("pgbouncer is not installed")
    version = re.findall(r"PgBouncer (\d+)\.(\d+)", run(command, "--version", cwd=ROOT))[0]
    if tuple(map(int, version)) < (1, 21):
        pytest.skip(f"pgbouncer {'.'.join(version)} is too old: it knows nothing of prepared statements")
    return command


@pytest.fixture
def project(render: Render, tmp_path: Path) -> Path:
    return Path(shutil.copytree(render(), tmp_path / "project"))


def block(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs/kubernetes.md").read_text("utf-8"), re.DOTALL)
    return str(found)


def documented() -> ConfigParser:
    settings = ConfigParser(interpolation=None)
    settings.read_string(block("ini"))
    return settings


async def ask(statements: str, **address: Any) -> Any:
    connection = await asyncpg.connect(**address)
    try:
        for statement in filter(None, map(str.strip, statements.split(";"))):
            value = await connection.fetchval(statement)
        return value
    finally:
        await connection.close()


@contextmanager
def running(
    *command: str, cwd: Path, output: int = subprocess.DEVNULL, user: str | None = None, **environment: str
) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        command,
        cwd=cwd,
        user=user,
        env=os.environ | environment,
        stdout=output,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate()


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits until the condition holds, and ignores the errors of a server that does not listen yet."""
    for _ in range(600):
        with suppress(OSError, httpx2.HTTPError):
            if condition():
                return
        time.sleep(0.1)
    raise TimeoutError


def listens(port: int) -> bool:
    socket.create_connection(("127.0.0.1", port)).close()
    return True


@contextmanager
def database(project: Path) -> Iterator[re.Match[str]]:
    """Yields the user, the name and the folder of the socket of a migrated database."""
    script = 'echo "$DATABASE_URL"; exec sleep 600'
    command = (sys.executable, "-m", "scripts.local", "--migrate", "sh", "-c", script)
    with running(*command, cwd=project, output=subprocess.PIPE) as process:
        assert process.stdout
        found = next(filter(None, map(DATABASE_URL.match, process.stdout)))
        yield found


@contextmanager
def pooled(command: str, settings: ConfigParser, found: re.Match[str], project: Path) -> Iterator[str]:
    """Yields the URL of the documented PgBouncer in front of this database. Only user and addresses differ."""
    port = free_port()
    folder = project / "pgbouncer"
    folder.mkdir()
    (folder / "users").write_text(f'"{found["user"]}" ""\n')
    settings["databases"]["app"] = f"host={found['folder']} dbname={found['name']}"
    here = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(port),
        "unix_socket_dir": "",
        "auth_type": "trust",
        "auth_file": str(folder / "users"),
        # These are fewer than the application opens, so that its sessions really share them.
        "default_pool_size": "2",
    }
    settings["pgbouncer"].update(here)
    if os.geteuid() == 0:
        settings["pgbouncer"]["user"] = (Path(found["folder"])).owner()
    with (folder / "pgbouncer.ini").open("w") as file:
        settings.write(file)
    with running(command, "--quiet", str(folder / "pgbouncer.ini"), cwd=folder):
        wait_until(lambda: listens(port))
        yield f"postgresql://{found['user']}@127.0.0.1:{port}/app"


@contextmanager
def serving(project: Path, url: str) -> Iterator[str]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with running(sys.executable, "-m", "app", cwd=project, DATABASE_URL=url, PORT=str(port), JWT_SECRET_KEY="k" * 40):
        wait_until(lambda: httpx2.get(f"{address}/api/v1/health").is_success)
        yield address


def statuses_of_many_at_once(address: str) -> set[int]:
    """Sends refused tokens. Each request asks the database, and together they take every connection of the pool."""
    with httpx2.Client(base_url=address, timeout=30) as client, ThreadPoolExecutor(16) as threads:
        body = {"refresh_token": "x" * 43}
        futures = [threads.submit(client.post, "/api/v1/auth/refresh", json=body) for _ in range(200)]
        return {future.result().status_code for future in futures}


def test_every_endpoint_works_through_it(pgbouncer: str, project: Path) -> None:
    with database(project) as found, pooled(pgbouncer, documented(), found, project) as url:
        server = {"host": found["folder"], "user": found["user"], "database": found["name"]}
        asyncio.run(ask(block("sql").replace("ROLE app", f"ROLE {found['user']}"), **server))
        assert asyncio.run(ask("SHOW statement_timeout", dsn=url)) == "5s"
        run("alembic", "upgrade", "head", cwd=project, environment={"DATABASE_URL": url})
        run(sys.executable, "-m", "scripts.seed", cwd=project, environment={"DATABASE_URL": url} | ADMIN)
        with serving(project, url) as address:
            assert httpx2.get(f"{address}/api/v1/health/ready").status_code == 200
            assert any("/api/v1/users" in line for line in check_every_endpoint(address, *ADMIN.values()))
            assert statuses_of_many_at_once(address) == {401}


@pytest.mark.parametrize("setting", ["max_prepared_statements", "ignore_startup_parameters"])
def test_each_documented_setting_is_needed(pgbouncer: str, project: Path, setting: str) -> None:
    settings = documented()
    settings["pgbouncer"][setting] = {"max_prepared_statements": "0", "ignore_startup_parameters": ""}[setting]

    with (
        database(project) as found,
        pooled(pgbouncer, settings, found, project) as url,
        serving(project, url) as address,
    ):
        assert statuses_of_many_at_once(address) - {401}, "it works without"
