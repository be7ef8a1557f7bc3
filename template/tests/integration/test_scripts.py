import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.config import ROOT, Settings
from app.core.database import Database
from app.domain.models.user import Role
from app.repository.user_repository import UserRepository
from scripts import seed
from scripts.healthcheck import healthy
from scripts.ports import free_port
from tests.api import PREFIX
from tests.database import URL, unreachable
from tests.server import STOP_TIMEOUT, running_server

ADMIN = {"FIRST_ADMIN_EMAIL": "Root@Example.com", "FIRST_ADMIN_PASSWORD": "correct horse battery"}


async def test_seeding_twice_creates_one_administrator(
    settings: Settings, database: Database, users: UserRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seed, "patient_database", lambda _: database)
    settings = Settings(**settings.model_dump(exclude_unset=True) | ADMIN)

    assert await seed.seed(settings) == "Created the administrator root@example.com."
    assert await seed.seed(settings) == "root@example.com exists already; nothing was changed."

    user = await users.get_by_email("root@example.com")
    assert user is not None
    assert user.role is Role.ADMIN


@pytest.mark.parametrize("script", ["seed", "outbox"])
def test_a_script_says_in_one_sentence_that_the_database_is_not_there(script: str) -> None:
    environment = os.environ | {"DATABASE_URL": unreachable()} | ADMIN
    command = [sys.executable, "-m", f"scripts.{script}"]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert (process.stdout, process.returncode) == ("", 1)
    assert process.stderr.startswith("The database is not available: ")
    assert process.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "set FIRST_ADMIN_EMAIL"),
        (ADMIN | {"FIRST_ADMIN_PASSWORD": "short"}, "FIRST_ADMIN_PASSWORD"),
        (ADMIN | {"FIRST_ADMIN_EMAIL": "root"}, "FIRST_ADMIN_EMAIL"),
    ],
)
def test_seeding_says_which_setting_is_missing_or_wrong(environment: dict[str, str], said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        seed.first_admin(Settings(**environment))  # type: ignore[arg-type]  # an environment is text


def test_the_health_check_tells_a_2xx_from_everything_else(database_url: str) -> None:
    with running_server(database_url) as server:
        assert healthy(server.port, f"{PREFIX}/health", timeout=100)
        assert not healthy(server.port, f"{PREFIX}/nothing-here", timeout=100)
    assert not healthy(free_port(), f"{PREFIX}/health")


def run_here(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in this folder, which contains `.env`."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    """Returns a file of settings that all differ from their defaults, as Windows writes it."""
    settings = {
        "API_V1_PREFIX": "/other",
        "ROOT_PATH": "/shop",
        "HOST": "0.0.0.0",  # noqa: S104 (what containers set: the test is about it)
        "PORT": str(free_port()),
        "JWT_SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz",
        "FORWARDED_ALLOW_IPS": "10.0.0.0/8",
    }
    file = tmp_path / ".env"
    lines = "".join(f"{name}={value}\r\n" for name, value in settings.items())
    file.write_bytes(("\ufeff" + lines).encode())
    return file


def test_the_server_and_its_health_check_read_the_same_settings(database_url: str, env_file: Path) -> None:
    (port,) = re.findall(r"PORT=(\d+)", env_file.read_text())
    environment = os.environ | {"DATABASE_URL": database_url, "PYTHONPATH": str(ROOT), "ENV_FILE": ".env"}
    process = subprocess.Popen([sys.executable, "-m", "app"], cwd=env_file.parent, env=environment)
    try:
        check = run_here(env_file.parent, "scripts.healthcheck", "/health/ready", "100")
        missing = run_here(env_file.parent, "scripts.healthcheck", "/nothing", PUBLISHED_PORT="9000")
        elsewhere = run_here(env_file.parent, "scripts.healthcheck", PORT=str(free_port()))
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT)

    assert (check.stdout, check.returncode) == (f"The API is ready: http://127.0.0.1:{port}/shop/docs\n", 0)
    assert "http://127.0.0.1:9000/shop/other/nothing" in missing.stdout
    assert (missing.returncode, elsewhere.returncode) == (1, 1)


def start_with_database(command: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.local", "sh", "-c", command],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_a_command_gets_the_database_of_the_settings_and_its_status_is_kept() -> None:
    process = start_with_database("echo $DATABASE_URL; exit 3", DATABASE_URL=URL)

    output, _ = process.communicate(timeout=100)
    assert output == f"{URL}\n"
    assert process.returncode == 3


def test_no_migration_is_written_where_nothing_changed(database_url: str) -> None:
    before = sorted((ROOT / "alembic/versions").iterdir())
    process = start_with_database(
        f"{sys.executable} -m scripts.migrations up && {sys.executable} -m scripts.migrations create 2>&1",
        DATABASE_URL=database_url,
        MIGRATION_NAME="nothing",
    )

    output, _ = process.communicate(timeout=100)
    assert "nothing was written" in output
    assert process.returncode == 1
    assert sorted((ROOT / "alembic/versions").iterdir()) == before
