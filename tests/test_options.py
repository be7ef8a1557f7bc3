"""Each option can be switched on later and off again, and the named profiles pass their own suites."""

import re
import shutil
from pathlib import Path

import pytest
from copier import VcsRef, run_copy, run_update

from tests.conftest import run
from tests.test_render import contents
from tests.variants import FACTORS, PROFILES, Answers, choices

pytestmark = pytest.mark.slow

MINIMAL = PROFILES["minimal"]
# The choice that adds nothing.
NONE: Answers = {
    "database": "postgresql",
    "cache": "none",
    "tasks": "none",
    "observability": [],
    "kubernetes": False,
    "ci": "none",
}
# What an option needs besides itself.
NEEDS = {"taskiq": {"cache": "valkey"}}


def options() -> dict[str, Answers]:
    """All that may be added to a minimal project, by the choices of copier.yml."""
    return {
        f"{name}={value}": NEEDS.get(value, {}) | {name: [value] if isinstance(none, list) else value}
        for name, none in NONE.items()
        for value in choices(name)
        if value != none
    }


OPTIONS = options()


@pytest.fixture(scope="module")
def minimal(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("minimal") / "backend"
    run_copy(str(clone), project, data=MINIMAL, defaults=True, quiet=True, vcs_ref="HEAD")
    run("git", "init", "-q", cwd=project)
    commit_all(project)
    return project


def commit_all(project: Path) -> None:
    run("git", "add", "-A", cwd=project)
    run("git", "commit", "-qm", "all", cwd=project)


def switch(project: Path, answers: Answers) -> None:
    run_update(str(project), data=answers, vcs_ref=VcsRef.CURRENT, defaults=True, overwrite=True, quiet=True)
    assert run("git", "diff", "--name-only", "--diff-filter=U", cwd=project) == ""
    commit_all(project)


def rendered(project: Path) -> dict[str, bytes]:
    return {name: text for name, text in contents(project).items() if not name.startswith(".git/")}


@pytest.mark.parametrize("answers", OPTIONS.values(), ids=list(OPTIONS))
def test_an_option_that_is_switched_on_later_is_the_same_and_goes_whole(
    clone: Path, minimal: Path, tmp_path: Path, answers: Answers
) -> None:
    project = Path(shutil.copytree(minimal, tmp_path / "later"))
    run_copy(str(clone), tmp_path / "start", data=MINIMAL | answers, defaults=True, quiet=True, vcs_ref="HEAD")
    chosen = rendered(tmp_path / "start")
    assert chosen != rendered(minimal), "it has no effect"

    switch(project, answers)
    assert rendered(project) == chosen

    switch(project, {name: NONE[name] for name in answers})
    assert rendered(project) == rendered(minimal)


def test_every_question_with_choices_is_an_option_here_or_changes_one_word() -> None:
    assert {name for name, _ in FACTORS} == NONE.keys() | {"license", "python_version"}


@pytest.mark.parametrize(
    ("profile", "targets"),
    [
        pytest.param(name, ["check"] if name == "full" else ["lint", "test"], id=name)
        for name in PROFILES
        if name != "standard"  # test_backend.py runs its whole check
    ],
)
def test_a_profile_passes_its_own_suite(clone: Path, tmp_path: Path, profile: str, targets: list[str]) -> None:
    project = tmp_path / "backend"
    run_copy(str(clone), project, data=PROFILES[profile], defaults=True, quiet=True, vcs_ref="HEAD")
    run("git", "init", "-q", cwd=project)
    run("make", "install", cwd=project)

    output = run("make", *targets, cwd=project)

    assert " passed in " in output
    assert not re.search(r"^=.* \d+ (failed|error|skipped|xfailed).* in [\d.]+s", output, re.MULTILINE)
