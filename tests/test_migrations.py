"""`make migrate-*` writes migrations and says what it does, run from a user's shell."""

from pathlib import Path

import pytest

from tests.conftest import Install, copy, run

pytestmark = pytest.mark.slow

MODEL = """
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.models.base import Entity, live_index


class Path(sa.TypeDecorator[str]):
    impl = sa.String(10)
    cache_ok = True


class Note(Entity):
    __tablename__ = "notes"
    __table_args__ = (live_index("ix_notes_{title}", "{title}"),)

    {title}: Mapped[str]
    path: Mapped[str] = mapped_column(Path())
    more: Mapped[dict[str, object]] = mapped_column(sa.JSON().with_variant(JSONB(), "postgresql"))
"""


@pytest.fixture(scope="module", params=["postgresql", "sqlite"])
def backend(request: pytest.FixtureRequest, install: Install) -> Path:
    return install() if request.param == "postgresql" else install(database=request.param)


@pytest.fixture
def project(backend: Path, tmp_path: Path) -> Path:
    """Returns a backend with a model that has no migration yet."""
    project = copy(backend, tmp_path / "project")
    write_model(project, "title")
    return project


def write_model(project: Path, title: str) -> None:
    (project / "app/domain/models/note.py").write_text(MODEL.format(title=title))


def create(project: Path, name: str, *arguments: str, status: int = 0) -> str:
    return run("make", "migrate-create", f"name={name}", *arguments, cwd=project, status=status)


def versions(project: Path) -> set[Path]:
    return set((project / "alembic/versions").glob("*.py"))


def test_what_is_written_is_clean_loses_nothing_and_goes_back(project: Path) -> None:
    odd = 'a "quoted" 50% of `x` $(HOME) $$x \\ it\'s größe"'
    create(project, odd)
    run(".venv/bin/python", "-m", "ruff", "check", "alembic", cwd=project)
    run(".venv/bin/python", "-m", "ruff", "format", "--check", "alembic", cwd=project)
    assert odd in run("make", "migrate-up", cwd=project)
    before = versions(project)
    assert "nothing was written" in create(project, "nothing", status=2)

    write_model(project, "headline")
    assert "rename=notes.title:headline" in create(project, "rename", status=2)
    assert versions(project) == before
    create(project, "rename", "rename=notes.title:headline")
    run("make", "migrate-up", cwd=project)
    assert "nothing was written" in create(project, "nothing", status=2)
    run("make", "migrate-down", cwd=project)

    (project / "app/domain/models/note.py").unlink()
    assert "the table notes" in create(project, "drop", status=2)
    create(project, "drop", "yes=1")
    create(project, "by hand", "empty=1")
    run("make", "format", cwd=project)
    run("make", "lint", cwd=project)
    run("make", "test", "ARGS=-k migrations", cwd=project)


def test_it_says_what_to_do_with_two_histories(project: Path) -> None:
    create(project, "one")
    [written] = [path for path in versions(project) if path.name.endswith("_one.py")]
    other = written.read_text().replace('revision: str = "', 'revision: str = "f', 1).replace("notes", "others")
    written.with_name("other.py").write_text(other)
    assert "make migrate-merge" in run("make", "migrate-up", cwd=project, status=2)
    run("make", "migrate-merge", cwd=project)
    run("make", "migrate-up", cwd=project)
    assert "make migrate-down to=" in run("make", "migrate-down", cwd=project, status=2)

    run("git", "clean", "-qf", "alembic", cwd=project)
    for path in versions(project):
        if path.name.startswith("2") or path.name == "other.py":
            path.unlink()
    said = run("make", "migrate-up", cwd=project, status=2)
    assert "on another branch" in said
    assert "Alembic says: Can't locate revision" in said


def test_format_goes_on_where_a_line_is_too_long(project: Path) -> None:
    module = project / "app/long.py"
    module.write_text(f"VALUES = [{', '.join(str(number) for number in range(60))}]\n")
    run("make", "format", cwd=project)
    run("make", "lint", cwd=project)

    module.write_text(f"import os\nTEXT = '{'long ' * 30}'\n")
    assert "E501" in run("make", "format", cwd=project, status=2)
    assert module.read_text().startswith('TEXT = "long')


def test_a_search_gets_an_index_on_servers_that_can_have_one(installed: Path, tmp_path: Path) -> None:
    project = copy(installed, tmp_path / "project")

    assert "table=users. The choices are: users." in run("make", "migrate-search", cwd=project, status=2)
    assert "Wrote alembic/versions/" in run("make", "migrate-search", "table=users", cwd=project)

    run("make", "migrate-up", cwd=project)
    assert "are the same: nothing was written" in run("make", "migrate-create", "name=more", cwd=project, status=2)
    run("make", "migrate-down", cwd=project)
    run("make", "lint", cwd=project)
    run("make", "test", "ARGS=-k migrations", cwd=project)
