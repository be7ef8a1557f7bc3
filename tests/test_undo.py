"""`make update-undo` restores the state before the update, and loses nothing that people wrote since."""

import shutil
import signal
from pathlib import Path

import pytest
from copier import run_update

from tests.conftest import Once, commit, run
from tests.releases import NOW, contents, edit, render
from tests.small import (
    DOCUMENTED,
    GUIDE,
    MOVES,
    NEW,
    OLD,
    changed_project,
    release,
    small_template,
    tool,
    update,
)

pytestmark = pytest.mark.slow

KILLED = "v1003.0.0"
BACK = f"The update is taken back: the project is at {NOW}, as committed. Next: make install.\n"


@pytest.fixture(scope="module")
def template(once: Once) -> Path:
    return once("small", small_template)


@pytest.fixture(scope="module")
def rendered(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(template, tmp_path_factory.mktemp("rendered") / "backend")


@pytest.fixture
def project(rendered: Path, tmp_path: Path) -> Path:
    return changed_project(rendered, tmp_path / "backend")


def undo(project: Path, *, status: int = 0) -> str:
    return tool(project, "undo", status=status)


def status_of(project: Path) -> str:
    return run("git", "status", "--porcelain", cwd=project)


def test_an_update_with_conflicts_is_taken_back_whole(project: Path) -> None:
    edit(project, OLD, DOCUMENTED, "Our questions.")
    (project / "uv.lock").write_text("old\n")
    commit(project)
    before = contents(project)
    update(project, MOVES)
    (project / "uv.lock").write_text("new\n")

    assert "Or run make update-undo, which undoes the update." in update(project, MOVES, status=1)
    assert undo(project) == BACK
    assert contents(project) == before
    assert status_of(project) == ""
    assert undo(project, status=1) == "There is no update to take back.\n"


def test_what_was_changed_since_is_kept_and_what_is_ones_own_stays(project: Path) -> None:
    update(project, MOVES)
    resolved = (project / NEW).read_text() + "# Resolved.\n"
    (project / NEW).write_text(resolved)
    (project / "app/mine.py").write_text("# Mine.\n")

    said = undo(project)

    kept = "You changed these since; your versions are kept in template/undone (git show template/undone:./NAME)"
    assert said == f"{kept}:\n    {NEW}\n\nYour own changes stay:\n    app/mine.py\n\n{BACK}"
    assert run("git", "show", f"template/undone:./{NEW}", cwd=project) == resolved
    assert status_of(project) == "?? app/mine.py\n"


def test_what_another_tool_began_is_taken_back_and_kept(project: Path) -> None:
    run_update(project, vcs_ref=MOVES, defaults=True, overwrite=True, quiet=True)

    said = undo(project)

    assert said.startswith("It is not recorded which of these you changed; your versions are kept in template/undone")
    assert f"    {GUIDE}\n" in said
    assert said.endswith(BACK)
    assert status_of(project) == ""
    assert f"{MOVES}" in run("git", "show", "template/undone:.copier-answers.yml", cwd=project)


def test_an_update_that_was_killed_is_not_taken_for_a_finished_one(template: Path, tmp_path: Path) -> None:
    killing = Path(shutil.copytree(template, tmp_path / "template"))
    with (killing / "copier.yml").open("a") as questions:
        questions.write(f"_migrations: [{{version: {KILLED}, command: kill -KILL $PPID}}]\n")
    release(killing, KILLED)
    project = render(killing, tmp_path / "backend")
    before = contents(project)
    update(project, KILLED, status=-signal.SIGKILL, UPDATE_TRUST="1")

    assert "was interrupted: run make update-undo" in update(project, MOVES, status=1)
    undo(project)
    assert contents(project) == before
    assert f"From {NOW} to {MOVES}." in update(project, MOVES)


def test_of_a_committed_update_it_says_what_takes_it_back(project: Path) -> None:
    assert undo(project, status=1) == "There is no update to take back.\n"
    before = contents(project)
    update(project, MOVES)
    commit(project)
    short = run("git", "log", "-1", "--format=%h", cwd=project).strip()

    assert undo(project, status=1) == f"The update to {MOVES} is committed: git revert {short} takes it back.\n"
    run("git", "revert", "--no-edit", short, cwd=project)
    assert contents(project) == before


def test_a_change_without_an_update_is_none_to_take_back(project: Path) -> None:
    (project / GUIDE).write_text("# Ours.\n")

    assert undo(project, status=1) == "There is no update to take back.\n"
    assert (project / GUIDE).read_text() == "# Ours.\n"
