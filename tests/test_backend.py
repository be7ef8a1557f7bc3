"""A newcomer's commands work in the order of the README, on a machine where nothing is set up."""

import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from scripts.demo import free_port
from tests.conftest import copy, run, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def backend(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the default backend, which each of these tests leaves as it was."""
    return copy(installed, tmp_path_factory.mktemp("installed") / "backend")


def test_its_lock_file_is_there_to_be_committed(backend: Path) -> None:
    assert "uv.lock" in run("git", "ls-files", cwd=backend)


def test_its_format_changes_nothing(backend: Path) -> None:
    run("make", "format", cwd=backend)

    assert run("git", "status", "--porcelain", cwd=backend) == ""


@pytest.mark.parametrize("name", ["50%off", "a:b"])
def test_a_folder_that_cannot_work_is_refused_in_one_sentence(project: Path, tmp_path: Path, name: str) -> None:
    folder = project.rename(tmp_path / name)

    [said] = run("make", "dev", cwd=folder, status=2).splitlines()
    assert "rename the folder" in said


def test_its_help_lists_every_target(backend: Path) -> None:
    targets = set(re.findall(r"^\.PHONY: (\S+)$", (backend / "Makefile").read_text("utf-8"), re.MULTILINE))

    assert targets == {line.split()[0] for line in re.sub(r"\x1b\[\d+m", "", run("make", cwd=backend)).splitlines()}


@pytest.mark.parametrize("end", ["Ctrl-C", "a closed terminal", "make is terminated"])
def test_it_serves_where_its_env_says_and_stops_whole(backend: Path, end: str) -> None:
    port = free_port()
    (backend / ".env").write_text(f"PORT={port}\n")
    process = subprocess.Popen(
        ["make", "dev"],
        cwd=backend,
        # conda sets HOST to such a name.
        env={name: value for name, value in os.environ.items() if name != "PORT"} | {"HOST": "x86_64-conda-linux-gnu"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=heed_signals,  # noqa: PLW1509 (nothing here has threads)
    )
    try:
        response = wait_for(f"http://127.0.0.1:{port}/api/v1/health/ready")
        assert response.json() == {"status": "ready", "checks": {"database": "ok"}}
        assert httpx2.get(f"http://127.0.0.1:{port}/docs").status_code == 200
    finally:
        if end == "make is terminated":
            process.terminate()
        else:
            os.killpg(process.pid, signal.SIGINT if end == "Ctrl-C" else signal.SIGHUP)
        wait_until(lambda: process.poll() is not None)
        (backend / ".env").unlink()
    # Make may end before its child processes.
    wait_until(lambda: not (backend / ".local/postgres/postmaster.pid").exists())
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"http://127.0.0.1:{port}/api/v1/health")


def heed_signals() -> None:
    """Resets the handlers of signals: a background job or nohup ignores them, and child processes inherit that."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def wait_for(url: str) -> httpx2.Response:
    """Counts attempts, not seconds, so that a machine that stands still for a minute uses none of them up."""
    for _ in range(600):
        with suppress(httpx2.HTTPError):
            return httpx2.get(url).raise_for_status()
        time.sleep(0.1)
    raise TimeoutError(url)


def test_its_migrations_go_up_and_down_and_are_written_from_the_models(installed: Path, tmp_path: Path) -> None:
    project = copy(installed, tmp_path / "project")
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


def test_its_tests_see_nothing_of_the_developers_settings(installed: Path, tmp_path: Path) -> None:
    project = copy(installed, tmp_path / "project")
    url = "postgresql://nobody@127.0.0.1:1/none"
    (project / ".env").write_text(f"API_V1_PREFIX=/api/v9\nDATABASE_URL={url}\nDEBUG=true\nREGISTRATION_ENABLED=true\n")
    shell = {"api_v1_prefix": "/api/v8", "DATABASE_URL": url, "CORS_ORIGINS": "nonsense", "PGSSLMODE": "require"}
    shell |= {"http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1", "NO_PROXY": "", "no_proxy": ""}

    # This calls pytest directly, since uv may need a proxy.
    pytest = (str(project / ".venv/bin/python"), "-m", "pytest")
    run(*pytest, "-k", "scripts or replicas or auth_api or local_postgres", cwd=project, environment=shell)
    run(*pytest, "tests/faults", "-k", "sigkill", cwd=project, environment=shell)
    run(*pytest, "tests/fuzz", cwd=project, environment=shell | {"FUZZ_SECONDS": "2"})


def test_it_seeds_an_administrator(backend: Path) -> None:
    admin = {"FIRST_ADMIN_EMAIL": "admin@example.com", "FIRST_ADMIN_PASSWORD": "correct horse battery"}

    assert "Created the administrator" in run("make", "seed", cwd=backend, environment=admin)
    assert "nothing was changed" in run("make", "seed", cwd=backend, environment=admin)
    assert "set FIRST_ADMIN_EMAIL" in run("make", "seed", cwd=backend, status=2)


@pytest.fixture(scope="module")
def normal_user() -> list[str]:
    """Returns a prefix that runs a command as a user without privileges, who is root outside of a namespace."""
    if os.geteuid() != 0:
        return []
    command = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("we are root, and may not make a namespace in which we are not")
    return command


def test_it_works_as_a_normal_user(installed: Path, tmp_path: Path, normal_user: list[str]) -> None:
    project = Path(shutil.copytree(installed, tmp_path / "project", ignore=shutil.ignore_patterns(".local", ".venv")))
    admin = {"FIRST_ADMIN_EMAIL": "admin@example.com", "FIRST_ADMIN_PASSWORD": "correct horse battery"}

    run(*normal_user, "make", "install", cwd=project)
    run(*normal_user, "make", "seed", cwd=project, environment=admin)
    run(*normal_user, "make", "test", "ARGS=-k scripts", cwd=project)


def test_its_update_refuses_a_dirty_tree(installed: Path, tmp_path: Path) -> None:
    project = copy(installed, tmp_path / "project")
    (project / "README.md").write_text("mine\n")

    assert "commit or stash them first" in run("make", "update", cwd=project, status=2)
    assert (project / "README.md").read_text() == "mine\n"


def test_the_demo_checks_every_endpoint_twice(clone: Path, without_uv: dict[str, str], tmp_path: Path) -> None:
    repository = Path(shutil.copytree(clone, tmp_path / "strata"))
    port = str(free_port())

    for _ in range(2):
        output = run("make", "demo", "SERVE=0", f"PORT={port}", cwd=repository, environment=without_uv)
        assert "POST    /api/v1/users" in output
        assert output.rstrip().endswith("==> Done.")
