"""Random resources, edited and then changed three times, end like fresh ones with the edits; so do their tables."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scripts.new import ROOT
from tests.conftest import Install, commit, copy, run
from tests.edits import Edit, chosen
from tests.lives import CHANGES, Change, Life, columns, drawn, parted, value
from tests.resources import Resource, macro

pytestmark = pytest.mark.slow

Record = Callable[[str, object], None]

GENERATED = [
    ".copier/{}.yml",
    "app/api/v1/{}_router.py",
    "app/domain/models/{}.py",
    "app/domain/schemas/{}.py",
    "app/repository/{}_repository.py",
    "app/service/{}_service.py",
    "tests/factories/{}_factory.py",
    "tests/integration/test_{}_api.py",
    "tests/unit/test_{}_service.py",
]
ROWS = (1, 2, 3)
USER = "INSERT INTO users (id, email, password_hash, full_name) VALUES ('{0:032x}', '{0}@example.com', '-', 'Ada')"


@dataclass
class Sample:
    project: Path
    lives: Sequence[Life]
    edits: dict[str, list[Edit]]
    slowest: float = 0  # in seconds
    conflicts: int = 0  # where edits and changes are adjacent
    needless: list[str] = field(default_factory=list)  # the other conflicts
    lost: list[Edit] = field(default_factory=list)

    def live(self) -> str:
        """Makes the resources and changes them. Returns the newest migration from before the changes."""
        make([life.start for life in self.lives], self.edits, self.project)
        start = head(self.project)
        for step in range(CHANGES):
            for life in self.lives:
                self.change(life.states[step], life.changes[step])
        return start

    def change(self, resource: Resource, change: Change) -> None:
        begin = time.monotonic()
        output = run("make", "resource", *change.arguments(resource), cwd=self.project)
        self.slowest = max(self.slowest, time.monotonic() - begin)
        for name in run("git", "diff", "--name-only", "--diff-filter=U", cwd=self.project).split():
            assert name in output
            self.resolve(name, [edit for edit in self.edits[resource.name] if edit.file == name])
        run(".venv/bin/ruff", "format", "--check", ".", cwd=self.project)
        run(".venv/bin/ruff", "check", ".", cwd=self.project)
        commit(self.project)

    def resolve(self, name: str, edits: Sequence[Edit]) -> None:
        """Resolves a conflict by taking the changes of both sides."""
        path = self.project / name
        before, theirs = (run("git", "show", f":{stage}:{name}", cwd=self.project) for stage in (1, 3))
        self.lost += [edit for edit in edits if edit.code.strip("\n") not in path.read_text()]
        if any(edit.touches(before, theirs) for edit in edits):
            self.conflicts += 1
        else:
            self.needless.append(path.read_text())
        path.write_text(theirs)
        for edit in edits:
            edit.make(self.project)

    def __str__(self) -> str:
        changes, edits = CHANGES * len(self.lives), sum(map(len, self.edits.values()))
        return (
            f"{len(self.lives)} specs, {changes} changes, {edits} edits, {len(self.lost)} lost, "
            f"{len(self.needless)} conflicts where no lines touch, {self.conflicts} where they do, "
            f"{self.slowest:.1f} s for the slowest change"
        )


def make(resources: Sequence[Resource], edits: dict[str, list[Edit]], project: Path) -> None:
    for resource in resources:
        arguments = (f"name={resource.name}", f"fields={resource.fields}", f"access={resource.access}")
        run("make", "resource", *arguments, cwd=project)
        for edit in edits[resource.name]:
            edit.make(project)
    commit(project)


def head(project: Path) -> str:
    """Returns the newest migration, of which there must be one."""
    (line,) = run(".venv/bin/alembic", "heads", cwd=project).splitlines()
    return line.removesuffix(" (head)")


def databases(sample: Sample, start: str, fresh: Path) -> dict[str, Any]:
    """Returns what `tests/living_schema.py` finds."""
    users = [USER.format(row) for row in ROWS]
    task = {
        "other": str(fresh),
        "start": start,
        "statements": users + [insert(life.start, row) for life in sample.lives for row in ROWS],
        "tables": [table(life.start) for life in sample.lives],
    }
    command = (".venv/bin/python", "-P", str(ROOT / "tests/living_schema.py"), json.dumps(task))
    found: dict[str, Any] = json.loads(run(*command, cwd=sample.project, environment={"PYTHONPATH": "."}))
    return found


def insert(resource: Resource, row: int) -> str:
    """Returns a statement that inserts this row. The second row lacks the optional fields."""
    names = columns(resource)
    kinds = {"id": "uuid"} | {names[label]: kind for label, kind in parted(resource).items()}
    if "owner" in resource.access:
        kinds["owner_id"] = "ref(user)"
    values = {name: value(kind, row) for name, kind in kinds.items() if row != 2 or "?" not in kind}
    listed = ", ".join(f"'{text}'" for text in values.values())
    return f"INSERT INTO {table(resource)} ({', '.join(values)}) VALUES ({listed})"  # noqa: S608 (the test drew every word)


def table(resource: Resource) -> str:
    return macro("naming", "plural_of")(resource.name)


def assert_same_files(sample: Sample, fresh: Path) -> None:
    for life in sample.lives:
        for name in (name.format(life.start.name) for name in GENERATED):
            assert (sample.project / name).read_text() == (fresh / name).read_text(), name


def assert_same_tables(sample: Sample, found: dict[str, Any]) -> None:
    assert found["differences"] == []
    assert found["schema"] == found["schema of a fresh one"]
    assert found["schema after downgrade"] == found["schema before"]
    for life in sample.lives:
        before, after = found["rows before"][table(life.start)], found["rows"][table(life.start)]
        kept = [{new: row[old] for old, new in life.kept.items()} for row in before]
        assert len(before) == len(ROWS)
        assert kept == [{new: row[new] for new in life.kept.values()} for row in after]


@pytest.fixture
def backend(install: Install, tmp_path: Path, database: str) -> Path:
    """Returns an installed and committed backend that a test may change."""
    return copy(install() if database == "postgresql" else install(database=database), tmp_path / "backend")


# The database, how many resources one project has, the tests of it that run at the end, and the seed of the resources.
SAMPLE = [("postgresql", 2, "thing", 1), ("sqlite", 1, "thing", 2)]
KINDS = [("sqlite", 2, ""), ("sqlite", 2, "thing"), *[("postgresql", 3, "")] * 2, *[("postgresql", 3, "thing")] * 4]
TODAY = datetime.now(UTC).date().toordinal() * len(KINDS)
MANY = [(*kind, TODAY + number) for number, kind in enumerate(KINDS)]


@pytest.mark.parametrize(
    ("database", "count", "tests", "number"), [*SAMPLE, *(pytest.param(*row, marks=pytest.mark.long) for row in MANY)]
)
def test_changed_resources_are_as_new_ones(
    backend: Path, record_property: Record, *, database: str, count: int, tests: str, number: int
) -> None:
    fresh = copy(backend, backend.parent / "fresh")
    lives, random = drawn(number, count), Random(number)
    sample = Sample(backend, lives, {life.start.name: chosen(life.start.name, random) for life in lives})
    make([life.states[-1] for life in lives], sample.edits, fresh)

    start = sample.live()

    assert (sample.lost, sample.needless) == ([], [])
    assert head(backend)
    assert_same_files(sample, fresh)
    assert_same_tables(sample, databases(sample, start, fresh))
    run(".venv/bin/mypy", cwd=backend)
    run(".venv/bin/python", "-m", "pytest", "-q", "-n", "2", "-k", tests, cwd=backend)
    record_property(f"resources that live, on {database}", str(sample))
