"""The commands that a newcomer types, in the order of the README, each in a place where nothing is set up."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import httpx2
import pytest
from copier import run_copy

from scripts.demo import free_port
from scripts.new import ROOT
from tests.conftest import Render

pytestmark = pytest.mark.slow


def run(*command: str, cwd: Path, status: int = 0, environment: Mapping[str, str] | None = None) -> str:
    """What the command printed; fails with it when the command ends otherwise than expected."""
    process = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | dict(environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert process.returncode == status, process.stdout[-8000:]
    return process.stdout


@pytest.fixture(scope="module")
def installed(render: Render, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default backend after `git init` and `make install`."""
    project = tmp_path_factory.mktemp("installed") / "backend"
    shutil.copytree(render(), project)
    run("git", "init", "-q", cwd=project)
    run("make", "install", cwd=project)
    run("git", "add", ".", cwd=project)
    run("git", "commit", "-qm", "start", cwd=project)
    return project


def test_its_own_check_passes_and_leaves_no_trace(installed: Path) -> None:
    output = run("make", "check", cwd=installed)

    assert " passed in " in output
    assert not re.search(r"\d+ (failed|error|skipped|xfailed)", output)
    assert run("git", "status", "--porcelain", cwd=installed) == ""
    assert "uv.lock" in run("git", "ls-files", cwd=installed)


def test_its_format_changes_nothing(installed: Path) -> None:
    run("make", "format", cwd=installed)

    assert run("git", "status", "--porcelain", cwd=installed) == ""


def test_its_help_lists_every_target(installed: Path) -> None:
    targets = set(re.findall(r"^\.PHONY: (\S+)$", (installed / "Makefile").read_text("utf-8"), re.MULTILINE))

    assert targets == {line.split()[0] for line in re.sub(r"\x1b\[\d+m", "", run("make", cwd=installed)).splitlines()}


def test_it_serves_and_stops_whole(installed: Path) -> None:
    port = free_port()
    process = subprocess.Popen(
        ["make", "dev"],
        cwd=installed,
        env=os.environ | {"PORT": str(port)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        answer = wait_for(f"http://127.0.0.1:{port}/api/v1/health/ready")
        assert answer.json() == {"status": "ready", "checks": {"database": "ok"}}
        assert httpx2.get(f"http://127.0.0.1:{port}/docs").status_code == 200
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)
    assert not (installed / ".local/postgres/postmaster.pid").exists()


def wait_for(url: str) -> httpx2.Response:
    deadline = time.monotonic() + 60
    while True:
        try:
            return httpx2.get(url).raise_for_status()
        except httpx2.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_its_migrations_go_up_and_down_and_are_written_from_the_models(installed: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(installed, tmp_path / "project", ignore=shutil.ignore_patterns(".local")))
    model = project / "app/domain/models/note.py"
    model.write_text(
        "from sqlalchemy.orm import Mapped\n\nfrom app.domain.models.base import Entity\n\n\n"
        'class Note(Entity):\n    __tablename__ = "notes"\n\n    text: Mapped[str]\n'
    )

    assert "Say what it does" in run("make", "migrate-create", cwd=project, status=2)
    run("make", "migrate-create", "name=add notes", cwd=project)
    run("make", "migrate-up", cwd=project)
    assert "(current)" in run("make", "migrate-history", cwd=project)
    run("make", "migrate-down", cwd=project)
    run("make", "format", cwd=project)
    run("make", "lint", cwd=project)
    run("make", "test", "ARGS=-k migrations", cwd=project)


def test_it_seeds_an_administrator(installed: Path) -> None:
    admin = {"FIRST_ADMIN_EMAIL": "admin@example.com", "FIRST_ADMIN_PASSWORD": "correct horse battery"}

    assert "Created the administrator" in run("make", "seed", cwd=installed, environment=admin)
    assert "nothing was changed" in run("make", "seed", cwd=installed, environment=admin)
    assert "set FIRST_ADMIN_EMAIL" in run("make", "seed", cwd=installed, status=2)


def test_its_update_refuses_a_dirty_tree(installed: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(installed, tmp_path / "project", ignore=shutil.ignore_patterns(".local")))
    (project / "README.md").write_text("mine\n")

    assert "commit or stash them first" in run("make", "update", cwd=project, status=2)
    assert (project / "README.md").read_text() == "mine\n"


@pytest.fixture(scope="module")
def without_uv(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment whose PATH holds everything but uv, as on a fresh machine."""
    folders = [folder for folder in os.environ["PATH"].split(os.pathsep) if not (Path(folder) / "uv").exists()]
    return {"PATH": os.pathsep.join(folders), "HOME": str(tmp_path_factory.mktemp("home"))}


def test_the_demo_checks_every_endpoint_twice(clone: Path, without_uv: dict[str, str]) -> None:
    port = str(free_port())

    for _ in range(2):
        output = run("make", "demo", "SERVE=0", f"PORT={port}", cwd=clone, environment=without_uv)
        assert "POST    /api/v1/users" in output
        assert output.rstrip().endswith("==> Done.")


def test_plain_copier_gives_a_project_that_installs(clone: Path, without_uv: dict[str, str], tmp_path: Path) -> None:
    project = tmp_path / "my backend"
    run_copy(str(clone), project, defaults=True, quiet=True, vcs_ref="HEAD")

    run("make", "install", cwd=project, environment=without_uv)
    run("make", "lint", cwd=project, environment=without_uv)


def test_every_command_of_the_readmes_is_run_by_a_test() -> None:
    pages = [ROOT / "README.md", ROOT / "template/README.md.jinja", *sorted((ROOT / "docs").rglob("*.md"))]
    shell = [block for page in pages for block in re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL)]
    commands = {line.split("#")[0].strip() for block in shell for line in block.splitlines()} - {""}

    assert commands - COMMANDS == set()


# The commands above, and where they differ from the text: names, places, and `make test`, which is this run.
COMMANDS = {
    "make demo",
    "make demo SERVE=0",
    "make test",
    "make test-quick",
    "make new DEST=../my-backend",
    "copier copy STRATA my-backend",
    "cd my-backend",
    "git init",
    "git add .",
    'git commit -m "Start from Strata"',
    "make install",
    "make check",
    "make dev",
    "make migrate-create name=add_invoices",
    "make migrate-up",
    "make migrate-down",
    "make docker-up",
    "make docker-down",
}
