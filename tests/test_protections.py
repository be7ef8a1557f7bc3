"""Removes each protection of the backend, and requires that one of its tests fails."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

import pytest
from copier import run_copy

from scripts.new import ROOT
from tests.conftest import Render, some_long
from tests.protections import LONG, OF_RESOURCES, PROTECTIONS, RESOURCES, SQLITE, TASKIQ, VALKEY, Protection
from tests.releases import edit
from tests.resources import make

pytestmark = pytest.mark.slow


class Projects:
    """Rendered projects, whose code may be changed while some of their tests run."""

    def __init__(self, render: Render, directory: Path, process: "subprocess.Popen[str]") -> None:
        self._render = render
        self._directory = directory
        self._process = process

    def of(self, answers: Mapping[str, str]) -> Path:
        """Returns the project of these answers, whose tests give up sooner. Callers must restore what they change."""
        project = self._directory / ("-".join(answers.values()) or "default")
        if not project.exists():
            shutil.copytree(self._render(**answers), project)
            edit(project, "tests/faults/conftest.py", "PATIENCE = 100", "PATIENCE = 20")
            edit(project, "tests/waiting.py", "ATTEMPTS = 1200", "ATTEMPTS = 200")
        return project

    def run(self, project: Path, *arguments: str) -> tuple[int, str]:
        """Runs tests until the first failure, and returns their status and output."""
        output = self._directory / "output"
        asked = {"folder": str(project), "arguments": arguments, "output": str(output)}
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline()), output.read_text("utf-8", "replace")


@pytest.fixture(scope="module")
def projects(render: Render, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Projects]:
    directory = tmp_path_factory.mktemp("projects")
    server = Path(shutil.copytree(render(), directory / "server"))
    with subprocess.Popen(
        [sys.executable, "-m", "scripts.local", sys.executable, "-P", str(ROOT / "tests/forks.py")],
        cwd=server,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Projects(render, directory, process)


@pytest.fixture(scope="module")
def with_resources(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("resources") / "project"
    run_copy(str(clone), project, defaults=True, quiet=True, vcs_ref="HEAD")
    made = [
        [f"name={each.name}", f"access={each.access}", f"fields={each.fields}", f"parent={each.parent}"]
        for each in RESOURCES
    ]
    make(project, made, sys.executable)
    return project


@pytest.mark.parametrize("answers", [{}, SQLITE, VALKEY, TASKIQ], ids=["default", "sqlite", "valkey", "taskiq"])
def test_without_a_change_nothing_fails(projects: Projects, answers: Mapping[str, str]) -> None:
    status, said = projects.run(projects.of(answers), "tests/unit/test_config.py", "tests/integration/test_session.py")

    assert status == 0, said[-3000:]


def test_the_long_ones_are_protections() -> None:
    assert PROTECTIONS.keys() >= LONG


@pytest.mark.parametrize("protection", some_long(PROTECTIONS, LONG))
def test_its_absence_is_noticed(projects: Projects, protection: Protection) -> None:
    assert_noticed(projects, projects.of(protection.answers), protection)


@pytest.mark.parametrize("protection", list(OF_RESOURCES.values()), ids=list(OF_RESOURCES))
def test_its_absence_in_a_resource_is_noticed(projects: Projects, with_resources: Path, protection: Protection) -> None:
    assert_noticed(projects, with_resources, protection)


_seconds = count(1)


def assert_noticed(projects: Projects, project: Path, protection: Protection) -> None:
    file = project / protection.file
    source = file.read_text("utf-8")
    assert source.count(protection.code) == 1, "the protection is written otherwise now: say how it looks without it"
    times = file.stat().st_atime, file.stat().st_mtime
    file.write_text(source.replace(protection.code, protection.without), "utf-8")
    # Python recognises compiled code by the second and the size of its source, which two changes may have in common.
    second = next(_seconds)
    os.utime(file, (second, second))

    try:
        status, said = projects.run(project, *protection.tests.split())
    finally:
        file.write_text(source, "utf-8")
        os.utime(file, times)

    assert status == 1, f"nothing failed\n{said[-3000:]}"
    assert " failed" in said or " error" in said
