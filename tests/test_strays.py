"""A project that strayed from its template finds back: single files, and the record of where it came from."""

from pathlib import Path

import pytest

from tests.conftest import Once, commit
from tests.releases import NOW, contents, edit, render
from tests.small import DOCUMENTED, GUIDE, OLD, OURS, REMOVED, changed_project, small_template, tool

pytestmark = pytest.mark.slow

FRESH = f"Every file that this is about is as {NOW} renders it.\n"
RECORD = ".copier-answers.yml"


@pytest.fixture(scope="module")
def template(once: Once) -> Path:
    return once("small", small_template)


@pytest.fixture(scope="module")
def rendered(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(template, tmp_path_factory.mktemp("rendered") / "backend")


@pytest.fixture
def project(rendered: Path, tmp_path: Path) -> Path:
    return changed_project(rendered, tmp_path / "backend")


def heal(project: Path, path: str = "", *, status: int = 0, **variables: str) -> str:
    return tool(project, "restore", status=status, TEMPLATE_PATH=path, **variables)


def test_what_strayed_comes_back_and_nothing_else_is_touched(project: Path, rendered: Path) -> None:
    (project / GUIDE).unlink()
    (project / "mine.txt").write_text("mine\n")
    commit(project)
    before = contents(project)

    shown = heal(project, DRY="1")

    assert f"--- {OLD}\n+++ {OLD}\n" in shown
    assert f"\n-{OURS}" in shown
    assert shown.endswith(f"Nothing is written: make template-heal would bring 2 files to what {NOW} renders.\n")
    assert contents(project) == before
    (project / "mine.txt").write_text("not committed\n")
    said = heal(project)
    assert said.startswith(shown.rpartition("Nothing")[0])
    assert f"As {NOW} renders them now: {REMOVED}, {OLD}.\n" in said
    assert (project / OLD).stat().st_mode & 0o111 == 0
    assert contents(project) == contents(rendered, GUIDE) | {"mine.txt": b"not committed\n"}
    assert heal(project) == FRESH


def test_what_is_named_comes_back_also_where_it_was_deleted(project: Path, rendered: Path) -> None:
    (project / GUIDE).unlink()
    commit(project)

    assert "+For people." in heal(project, f"{GUIDE} app")

    assert (project / GUIDE).read_bytes() == (rendered / GUIDE).read_bytes()
    assert (project / OLD).read_bytes() == (rendered / OLD).read_bytes()
    assert (project / REMOVED).read_text().startswith("# Ours: ")


def test_what_git_could_not_bring_back_stays(project: Path) -> None:
    edit(project, OLD, DOCUMENTED, "Our questions.")
    before = contents(project)

    assert heal(project, status=1) == (
        f"There are changes that are not committed ({OLD}): commit or stash them first.\n"
    )
    assert "mine.txt is no file that the template cares for" in heal(project, "mine.txt", status=1)
    assert contents(project) == before
    assert "Our questions." in heal(project, DRY="1")
