"""An installed project needs no network, and a command that needs one says what to do."""

import shutil
from pathlib import Path

import pytest

from scripts.demo import free_port
from tests.conftest import copy, run

pytestmark = pytest.mark.slow


@pytest.fixture
def project(installed: Path, tmp_path: Path) -> Path:
    return copy(installed, tmp_path / "backend")


@pytest.fixture
def offline() -> dict[str, str]:
    """Returns settings of an index that differs from the one of the lock, and does not respond either."""
    return {"UV_DEFAULT_INDEX": f"http://127.0.0.1:{free_port()}/simple", "UV_HTTP_RETRIES": "0"}


@pytest.mark.parametrize("forbidden", [False, True])
def test_what_is_installed_needs_no_network(project: Path, offline: dict[str, str], forbidden: bool) -> None:
    environment = offline | ({"UV_OFFLINE": "1"} if forbidden else {})

    def make(*command: str) -> str:
        return run("make", *command, cwd=project, environment=environment)

    make("test", "ARGS=tests/unit/test_architecture.py")
    make("resource", "name=invoice", "fields=number:str(20)!")
    make("migrate-up")
    assert "0001" in make("migrate-history")
    make("seed", "FIRST_ADMIN_EMAIL=a@example.com", "FIRST_ADMIN_PASSWORD=correct horse battery")


def test_what_the_project_declares_anew_is_asked_for(project: Path, offline: dict[str, str]) -> None:
    (project / "pyproject.toml").touch()

    run("make", "test", cwd=project, environment=offline, status=2)


def test_without_an_index_there_is_a_sentence(project: Path, offline: dict[str, str]) -> None:
    shutil.rmtree(project / ".venv")
    (project / "uv.lock").unlink()

    said = run("make", "install", cwd=project, environment=offline | {"UV_NO_CACHE": "1"}, status=2)

    assert (
        "\nNothing was installed. If the package index did not respond, look at the network, or name a mirror" in said
    )
