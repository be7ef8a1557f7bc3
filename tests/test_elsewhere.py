"""An update that is only shown, or that is made on a branch of its own, leaves the project unchanged."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Once, commit, run, wait_until
from tests.releases import NOW, contents, edit, render
from tests.small import DOCUMENTED, MOVES, MOVES_AGAIN, NEW, OLD, changed_project, release, small_template, update

pytestmark = pytest.mark.slow

BRANCH = f"template-update-{MOVES}"


@pytest.fixture(scope="module")
def template(once: Once) -> Path:
    return once("small", small_template)


@pytest.fixture(scope="module")
def rendered(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(template, tmp_path_factory.mktemp("rendered") / "backend")


@pytest.fixture
def project(rendered: Path, tmp_path: Path) -> Path:
    return changed_project(rendered, tmp_path / "backend")


def everything(project: Path) -> dict[str, bytes | str]:
    """Returns all files, and the state of git except for unreachable objects."""
    known = {
        "status": run("git", "status", "--porcelain", cwd=project),
        "refs": run("git", "show-ref", cwd=project),
        "head": (project / ".git/HEAD").read_text() if (project / ".git").is_dir() else "",
        "trees": run("git", "worktree", "list", cwd=project),
    }
    return {**contents(project), **known}


def test_what_is_shown_is_what_happens(project: Path) -> None:
    edit(project, OLD, DOCUMENTED, "Our questions.")
    commit(project)
    before = everything(project)

    shown = update(project, MOVES, DRY="1")

    assert everything(project) == before
    said = update(project, MOVES)
    assert shown.startswith(f"Nothing is written. This is what make update says:\n\n{said}\n")
    assert f'{NEW}, line 1:\n    <<<<<<< before updating\n    """Our questions."""\n    =======\n' in shown
    run("git", "add", "--all", cwd=project)
    names = run("git", "diff", "--cached", "--name-only", "--no-renames", cwd=project).splitlines()
    listed = re.findall(r"^    (\S+)(?: \(\+\d+ -\d+\))?$", shown[shown.index("Files that change:") :], re.MULTILINE)
    assert sorted(listed) == names
    assert f"Files that are deleted:\n    {OLD} (+0 -8)\n" in shown


def test_what_cannot_be_updated_is_refused_when_it_is_only_to_be_shown(project: Path) -> None:
    assert "has no version v7" in update(project, "v7", status=1, DRY="1").splitlines()[-1]
    (project / "mine.txt").write_text("mine\n")
    assert "not committed (mine.txt)" in update(project, status=1, DRY="1")


def test_nothing_newer_is_shown_as_well(template: Path, tmp_path: Path) -> None:
    project = render(template, tmp_path / "backend", MOVES_AGAIN)

    assert "nothing is newer.\n" in update(project, DRY="1")
    assert update(project, UPDATE_BRANCH="1") == f"The project is at {MOVES_AGAIN}: nothing is newer.\n"
    assert run("git", "branch", "--format=%(refname:short)", cwd=project) == "main\n"


def test_a_branch_has_the_update_and_all_else_stays(project: Path, tmp_path: Path) -> None:
    hook = project / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    (project / "mine.txt").write_text("not committed\n")
    before = contents(project), run("git", "status", "--porcelain", cwd=project)

    said = update(project, MOVES, UPDATE_BRANCH="1")

    assert (contents(project), run("git", "status", "--porcelain", cwd=project)) == before
    assert run("git", "symbolic-ref", "HEAD", cwd=project) == "refs/heads/main\n"
    assert f"From {NOW} to {MOVES}.\n" in said
    assert said.endswith(
        f"The update is on the branch {BRANCH}, and nothing else has changed. git switch {BRANCH} leads there, git "
        f"merge {BRANCH} finishes it, and git branch -D {BRANCH} drops it.\n"
    )
    assert run("git", "log", "-1", "--format=%s", BRANCH, cwd=project) == (
        f"Update the template: From {NOW} to {MOVES}.\n"
    )
    assert run("git", "worktree", "list", cwd=project).count("\n") == 1
    assert f"There is a branch {BRANCH} already" in update(project, MOVES, UPDATE_BRANCH="1", status=1)
    hook.unlink()
    run("git", "merge", "-q", BRANCH, cwd=project)
    other = changed_project_of(project, tmp_path / "other")
    update(other, MOVES)
    (other / "mine.txt").write_text("not committed\n")
    assert contents(project) == contents(other)


def changed_project_of(project: Path, other: Path) -> Path:
    """Copies the changed project as it was before the merge."""
    shutil.copytree(project, other)
    (other / "mine.txt").unlink()
    run("git", "reset", "-q", "--hard", "HEAD~1", cwd=other)
    return other


def test_a_branch_holds_conflicts_with_their_marks(project: Path) -> None:
    edit(project, OLD, DOCUMENTED, "Our questions.")
    commit(project)

    said = update(project, MOVES, UPDATE_BRANCH="ours")

    assert f"in:\n    {NEW} (lines 1 to 5)\n" in said
    assert "The conflicts are committed with their marks: resolve them there.\n" in said
    assert run("git", "show", f"ours:{NEW}", cwd=project).startswith("<<<<<<< before updating\n")


@pytest.mark.parametrize("kind", ["detached", "worktree", "submodule", "folder"])
def test_it_works_where_projects_live(rendered: Path, project: Path, tmp_path: Path, kind: str) -> None:
    repository = tmp_path / "repository"
    if kind == "detached":
        run("git", "checkout", "-q", "--detach", cwd=project)
    elif kind == "worktree":
        run("git", "worktree", "add", "-q", "--detach", str(tmp_path / "tree"), cwd=project)
        project = tmp_path / "tree"
    elif kind == "submodule":
        run("git", "init", "-q", str(repository), cwd=tmp_path)
        run(
            "git", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(project), "it", cwd=repository
        )
        project = repository / "it"
    else:
        moved = repository / "services/it"
        shutil.copytree(project, moved, ignore=shutil.ignore_patterns(".git"))
        run("git", "init", "-q", cwd=repository)
        commit(repository)
        project = moved
    before = everything(project)

    shown = update(project, MOVES, DRY="1")
    assert everything(project) == before
    update(project, MOVES, UPDATE_BRANCH="1")

    assert f"    {OLD} -> {NEW}\n" in shown
    assert "Ours: in order" in run("git", "show", f"{BRANCH}:./{NEW}", cwd=project)
    said = update(project, MOVES)
    assert said in shown


def test_a_template_beside_the_project_is_found_from_the_copy(template: Path, tmp_path: Path) -> None:
    shutil.copytree(template, tmp_path / "template")
    project = render(template, tmp_path / "backend")
    edit(project, ".copier-answers.yml", str(template), "../template")
    commit(project)

    assert f"From {NOW} to {MOVES}.\n" in update(project, MOVES, DRY="1")


def test_ctrl_c_leaves_nothing_behind(template: Path, tmp_path: Path) -> None:
    waiting = Path(shutil.copytree(template, tmp_path / "template"))
    questions = (waiting / "copier.yml").read_text()
    command = f"touch {tmp_path}/begun; sleep 600"
    (waiting / "copier.yml").write_text(f"{questions}\n_migrations:\n  - version: v1003.0.0\n    command: {command}\n")
    release(waiting, "v1003.0.0")
    project = render(waiting, tmp_path / "backend")
    before = everything(project)

    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.template.update"],
        cwd=project,
        env=os.environ | {"DRY": "1", "UPDATE_TRUST": "1"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until((tmp_path / "begun").exists)
    os.killpg(process.pid, signal.SIGINT)

    assert process.communicate()[1] == "Stopped; nothing was changed.\n"
    assert everything(project) == before
