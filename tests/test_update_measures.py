"""Projects of every release, with typical edits, are updated to the working tree and lose nothing.

`make bench-updates` runs all of it and keeps the figures; a sample of each set of edits is in `make test`.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from copier import run_update

from tests.conftest import Install, Once, commit, lend_environment, run
from tests.project_edits import SETS, UNTOUCHED, Edits
from tests.releases import (
    IDENTITY,
    README,
    RELEASES,
    WITH_RESOURCES,
    answers,
    conflicts,
    contents,
    fresh_renders,
    render,
    template_with_releases,
)
from tests.variants import choices

pytestmark = pytest.mark.slow

PROFILES = choices("profile")


@dataclass
class Measure:
    release: str
    profile: str
    edits: str
    made: int  # number of edits
    kept: int
    false_conflicts: list[str]  # files whose edits touch no line that the template changed
    true_conflicts: list[str]
    seconds: float


def every() -> list[tuple[str, str, str]]:
    return [
        (name, version, profile)
        for name, edits in SETS.items()
        for version in (WITH_RESOURCES if edits.resource else RELEASES)
        for profile in PROFILES
    ]


def sampled() -> list[Any]:
    """Returns all cases. Each push runs one of each set of edits, and an untouched project of each release."""
    cases = {name: [case for case in every() if case[0] == name] for name in SETS}
    chosen = [cases[name][5 * number % len(cases[name])] for number, name in enumerate(SETS)]
    chosen += [
        case for case in cases[UNTOUCHED] if PROFILES.index(case[2]) == list(RELEASES).index(case[1]) % len(PROFILES)
    ]
    return [pytest.param(*case, marks=[] if case in chosen else pytest.mark.long) for case in every()]


@pytest.fixture(scope="module")
def template(once: Once) -> Path:
    return once("released", template_with_releases)


@pytest.fixture(scope="module")
def fresh(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    return fresh_renders(template, tmp_path_factory)


@pytest.mark.parametrize(("name", "version", "profile"), sampled())
def test_an_update_keeps_what_was_done_to_the_project(
    template: Path,
    fresh: Callable[..., Path],
    install: Install,
    tmp_path: Path,
    *,
    name: str,
    version: str,
    profile: str,
    record_property: Callable[[str, object], None],
) -> None:
    edits = SETS[name]
    expected = fresh(profile=profile, **IDENTITY, **edits.answers)
    project = render(template, tmp_path / "backend", version, **IDENTITY)
    if edits.resource or edits.tables:
        lend_environment(install(), project)
        run("make", "install", cwd=project)
        commit(project)
    edits.make(project)
    commit(project)

    start = time.monotonic()
    run_update(project, data=dict(answers(expected)), defaults=True, overwrite=True, quiet=True)
    seconds = time.monotonic() - start

    false, true = told_apart(project, edits)
    kept = edits.kept(project)
    measure = Measure(version, profile, name, len(kept), sum(kept), false, true, round(seconds, 1))
    record_property("update", json.dumps(asdict(measure)))
    assert measure.kept == measure.made, kept
    assert measure.false_conflicts == []
    assert others(project, edits) == others(expected, edits)
    if edits.tables and not true:
        commit(project)
        run("make", "install", cwd=project)
        commit(project)
        run("make", "update", cwd=project)
        assert len(run(".venv/bin/alembic", "heads", cwd=project).splitlines()) == 1


def told_apart(project: Path, edits: Edits) -> tuple[list[str], list[str]]:
    """Returns the files in conflict: those without adjacent lines, and those with them."""
    false: list[str] = []
    true: list[str] = []
    for name in conflicts(project):
        before, theirs = (stage(project, number, name) for number in (1, 3))
        touched = name in edits.deleted or any(
            edit.touches(before, theirs) for edit in edits.edits if edit.file == name
        )
        (true if touched else false).append(name)
    return false, true


def stage(project: Path, number: int, name: str) -> str:
    return run("git", "show", f":{number}:{name}", cwd=project)


def others(project: Path, edits: Edits) -> Mapping[str, bytes]:
    """Returns the files that nobody edited."""
    found = contents(project, README, "uv.lock", *edits.files)
    return {name: text for name, text in found.items() if not edits.resource or "note" not in name}
