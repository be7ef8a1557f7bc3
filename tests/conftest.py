"""Renders backends from the working tree as it is, in an environment without the settings of the machine."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from fcntl import LOCK_EX, flock
from hashlib import sha256
from pathlib import Path
from time import sleep
from typing import Any
from uuid import uuid4

import pytest
from copier import run_copy
from pytest_copie.plugin import Copie
from xdist.scheduler import LoadScopeScheduling

from scripts.new import ROOT, copy_working_tree, questions
from tests.hiding import path_without
from tests.temporary import own_folder

Render = Callable[..., Path]
Install = Callable[..., Path]
Once = Callable[[str, Callable[[Path], object]], Path]
NewDocker = Callable[[], dict[str, str]]

TOGETHER = {"tests/test_containers.py", "tests/test_expansion.py", "tests/test_links.py", "tests/test_protections.py"}
# Leaves out tests of processes, which take half of the time: `make check` of the full profile runs them.
IN_PROCESS = "-n 2 -k 'not (export_server or local_postgres or metrics or outbox_loop or scripts)'"

# These are set for our own run only: a rendered project finds its own environment and database.
FOREIGN = {"VIRTUAL_ENV", "UV_PROJECT", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHONDONTWRITEBYTECODE"}
# Only tests may set the settings of a backend.
SETTINGS = set(
    re.findall(r"^# ?([A-Z][A-Z0-9_]+)=", (ROOT / "template/.env.example.jinja").read_text("utf-8"), re.MULTILINE)
)
GIT_CONFIG = "[user]\nname = Test\nemail = test@example.com\n[init]\ndefaultBranch = main\n"


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.option.basetemp = config.option.basetemp or own_folder()
    for name in list(os.environ):
        if name.upper() in FOREIGN | SETTINGS or name.startswith(("GIT_", "COPIER_")):
            del os.environ[name]
    for name in ("NO_PROXY", "no_proxy"):  # our clients must not use a proxy for the servers that we start
        os.environ[name] = f"{os.environ.get(name, '')},127.0.0.1,localhost".strip(",")
    # Background jobs of a shell ignore it, and everything that they start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs slow tests first, so that quick ones fill up the workers at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Hands out one test at a time, but runs all tests of a file in TOGETHER on one worker.

    Their setup takes long, and two workers would do it twice.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in TOGETHER else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the figures that tests measured."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")


def run(*command: str, cwd: Path, status: int = 0, environment: Mapping[str, str] | None = None) -> str:
    """Returns what the command printed. Fails with that output if the status is another one."""
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


def wait_until(holds: Callable[[], object], said: Callable[[], object] = str) -> None:
    """Counts attempts, not seconds, so that a machine that stands still for a minute uses none of them up."""
    for _ in range(600):
        if holds():
            return
        sleep(0.1)
    raise TimeoutError(said())


@pytest.fixture(scope="session", autouse=True)
def _own_configuration(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("configuration")
    (directory / "gitconfig").write_text(GIT_CONFIG)
    (directory / "copier.yml").write_text("{}")
    os.environ["GIT_CONFIG_GLOBAL"] = str(directory / "gitconfig")
    os.environ["GIT_CONFIG_NOSYSTEM"] = "1"
    os.environ["COPIER_SETTINGS_PATH"] = str(directory / "copier.yml")
    # A pytest that a test runs makes the shared folder unreadable to other users, so renders need another one.
    (directory / "temporary").mkdir()
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(directory / "temporary")
    # Without this, each project would fetch uv.
    (directory / "bin").mkdir()
    (directory / "bin/uv").symlink_to(uv())
    os.environ["PATH"] = f"{directory / 'bin'}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Once:
    """Returns a function that makes a folder for all workers: the first one that needs it does, and the others wait."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent

    def once(name: str, make: Callable[[Path], object]) -> Path:
        done = shared / f"{name}.done"
        with (shared / f"{name}.lock").open("w") as lock:
            flock(lock, LOCK_EX)
            if not done.exists():
                shutil.rmtree(shared / name, ignore_errors=True)
                make(shared / name)
                done.touch()
        return shared / name

    return once


@pytest.fixture(scope="session")
def render(copie_session: Copie, once: Once) -> Render:
    """Returns a function that renders once for each set of answers. Do not write into the result."""

    def render(**answers: object) -> Path:
        assert not answers.keys() - questions(), "an answer that copier.yml does not know"

        def make(project: Path) -> None:
            result = copie_session.copy(extra_answers=answers)
            assert result.exception is None, result.exception
            assert result.project_dir is not None
            assert result.answers | answers == result.answers
            shutil.move(result.project_dir, project)

        return once(f"rendered-{sha256(repr(sorted(answers.items())).encode()).hexdigest()[:12]}", make)

    return render


@pytest.fixture
def project(render: Render, tmp_path: Path) -> Path:
    """Returns a copy of the default backend that a test may change."""
    return Path(shutil.copytree(render(), tmp_path / "project"))


@pytest.fixture(scope="session")
def clone(once: Once) -> Path:
    """Returns a clone of this repository with the working tree committed. Copy it before you write."""

    def make(directory: Path) -> None:
        copy_working_tree(directory)
        run("git", "init", "-q", cwd=directory)
        commit(directory)

    return once("strata", make)


@pytest.fixture(scope="session")
def install(clone: Path, once: Once) -> Install:
    """Returns a function that installs and commits a backend for each set of answers. Copy it before you write.

    Its copies have mypy's cache of the libraries and the compiled code of the tests. Others start with the cache of the
    default one.
    """

    def install(**answers: object) -> Path:
        def make(project: Path) -> None:
            run_copy(str(clone), project, data=answers, defaults=True, quiet=True, vcs_ref="HEAD")
            run("git", "init", "-q", cwd=project)
            run("make", "install", cwd=project)
            if answers:
                shutil.copytree(install() / ".mypy_cache", project / ".mypy_cache")
            run("make", "lint", cwd=project)
            run(".venv/bin/python", "-m", "pytest", "--collect-only", "-q", cwd=project)
            commit(project)

        return once("-".join(["installed", *map(str, answers.values())]), make)

    return install


@pytest.fixture(scope="session")
def installed(install: Install) -> Path:
    """Returns the default backend, installed and committed. Copy it before you write."""
    return install()


def copy(installed: Path, project: Path) -> Path:
    """Returns a copy that a test may change, without the data of a local server."""
    shutil.copytree(installed, project, symlinks=True, ignore=shutil.ignore_patterns(".local", ".venv", ".mypy_cache"))
    lend_environment(installed, project)
    return project


def lend_environment(installed: Path, project: Path) -> None:
    """Links the many files of `.venv`, into which nobody writes, and copies mypy's cache of them."""
    shutil.copytree(installed / ".venv", project / ".venv", symlinks=True, copy_function=os.link)
    shutil.copytree(installed / ".mypy_cache", project / ".mypy_cache")
    for script in (project / ".venv/bin").iterdir():
        text = script.read_bytes()
        if text.startswith(b"#!"):  # it contains the path of its Python
            script.unlink()
            script.write_bytes(text.replace(bytes(installed), bytes(project)))
            script.chmod(0o755)


def uv() -> str:
    """Returns the path of the uv that runs the tests, or else of the installed one."""
    found = os.environ.get("UV") or shutil.which("uv")
    assert found
    return found


def commit(repository: Path) -> None:
    run("git", "add", "-A", cwd=repository)
    run("git", "commit", "-qm", "work", "--allow-empty", cwd=repository)


def some_long(cases: Mapping[str, object], long: Collection[str]) -> list[pytest.ParameterSet]:
    """Returns a parameter for each case. Only `make test-long` runs those whose names are in `long`."""
    return [pytest.param(case, id=name, marks=pytest.mark.long if name in long else []) for name, case in cases.items()]


@pytest.fixture(params=[pytest.param(False, id="core"), pytest.param(True, id="whole", marks=pytest.mark.long)])
def is_whole(request: pytest.FixtureRequest) -> bool:
    """Returns whether to run all tests of a project, as `make test-long` does, or only the relevant ones."""
    return bool(request.param)


@pytest.fixture(scope="session")
def without_uv(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Returns an environment like that of a fresh machine, without uv, but with its cache of packages."""
    cache = run(uv(), "cache", "dir", cwd=ROOT).strip()
    return {
        "PATH": path_without("uv", os.environ["PATH"], tmp_path_factory.mktemp("without-uv")),
        "HOME": str(tmp_path_factory.mktemp("home")),
        "UV_CACHE_DIR": cache,
        "PIP_CACHE_DIR": f"{cache}/pip",
    }


@pytest.fixture(scope="session")
def docker_engine(render: Render, once: Once) -> dict[str, str]:
    """Returns an environment with the Docker engine of this machine, or else with its stand-in."""
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0:
        return {"HOME": os.environ["HOME"]}
    lab = ROOT.parent / "shared/tools/container-lab/container-lab"
    if not lab.exists():
        pytest.skip("there is no Docker engine, and no container-lab to stand in for it")
    command = [f"{sys.base_prefix}/bin/python3", str(lab)]  # needs pip, which our environment lacks
    # It has nothing that stands in for the mailbox of MODE=development.
    projects = (render(mail="none"), render(profile="full", mail="none"))
    images = [argument for project in projects for argument in ("--for", str(project))]
    once("container-lab", lambda _: run(*command, "setup", *images, cwd=ROOT))
    path = run("bash", "-c", 'eval "$("$@")" && printf %s "$PATH"', "bash", *command, "env", cwd=ROOT)
    return {"PATH": path, "HOME": os.environ["HOME"]}


@pytest.fixture(scope="module")
def new_docker(docker_engine: dict[str, str]) -> Iterator[NewDocker]:
    """Returns environments in which `docker` builds and runs under a name that nobody else uses.

    Everything is removed after the last test of a file, since a container keeps a port that later tests find free.
    """
    names: list[str] = []

    def new() -> dict[str, str]:
        names.append(f"strata-{uuid4().hex[:8]}")
        return docker_engine | {"COMPOSE_PROJECT_NAME": names[-1], "IMAGE": names[-1]}

    yield new

    def docker(*command: str) -> "subprocess.CompletedProcess[str]":
        environment = os.environ | docker_engine
        return subprocess.run(["docker", *command], env=environment, capture_output=True, text=True, check=False)

    def each(*command: str, of: tuple[str, ...]) -> None:
        """Runs the command on all that is found, until nothing is left. Another worker removes what it shares."""

        def is_gone() -> bool:
            found = docker(*of)
            if found.returncode == 0 and found.stdout.split():
                docker(*command, *found.stdout.split())
                found = docker(*of)
            return found.returncode == 0 and not found.stdout.split()

        wait_until(is_gone, lambda: docker(*of))

    for name in names:
        project = ("--quiet", "--filter", f"label=com.docker.compose.project={name}")
        each("kill", of=("ps", *project))
        each("rm", "--force", "--volumes", of=("ps", "--all", *project))
        each("volume", "rm", "--force", of=("volume", "ls", *project))
        each("network", "rm", of=("network", "ls", *project))
        tags = ("--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference=*{name}*")
        each("image", "rm", "--force", of=("image", "ls", *tags))
