"""Updates work over SSH, from shallow clones and changed templates, with Copier from uvx, and by Renovate."""

import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from copier import run_copy, run_update
from copier.errors import DirtyLocalWarning

from tests.conftest import Once, commit, run, uv
from tests.releases import NOW, edit, render
from tests.small import DOCUMENTED, MOVES, NEW, OLD, changed_project, small_template, tool, update

pytestmark = pytest.mark.slow

RECORD = ".copier-answers.yml"


@pytest.fixture(scope="module")
def template(once: Once) -> Path:
    return once("small", small_template)


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Path:
    return changed_project(render(template, tmp_path / "rendered"), tmp_path / "backend")


def made_from(project: Path, source: str, template: Path) -> None:
    edit(project, RECORD, f"_src_path: {template}", f"_src_path: {source}")
    commit(project)


def follows(project: Path) -> bool:
    return "Ours: in order" in (project / NEW).read_text() and f"_commit: {MOVES}\n" in (project / RECORD).read_text()


def test_a_template_is_reached_by_ssh(template: Path, project: Path, tmp_path: Path) -> None:
    ssh = tmp_path / "ssh"  # this runs locally what git would run on the other machine
    ssh.write_text('#!/bin/sh\nfor command; do :; done\nexec sh -c "$command"\n')
    ssh.chmod(0o755)
    address = f"git@template.test:{template}"
    made_from(project, address, template)
    environment: dict[str, Any] = {"GIT_SSH_COMMAND": str(ssh), "COPIER_CACHE_DIR": str(tmp_path / "cache")}

    shown = update(project, MOVES, DRY="1", **environment)
    said = update(project, MOVES, **environment)

    assert said in shown
    assert follows(project)
    assert f"_src_path: {address}\n" in (project / RECORD).read_text()


def test_a_shallow_clone_that_has_both_versions_is_enough(template: Path, project: Path, tmp_path: Path) -> None:
    shallow = shallow_clone(template, NOW, tmp_path)
    run("git", "fetch", "-q", "--depth=1", "origin", "tag", MOVES, cwd=shallow)
    made_from(project, str(shallow), template)

    update(project, MOVES)

    assert follows(project)


def test_a_shallow_clone_that_lacks_the_old_version_can_be_completed(
    template: Path, project: Path, tmp_path: Path
) -> None:
    shallow = shallow_clone(template, MOVES, tmp_path)
    made_from(project, str(shallow), template)

    said = update(project, MOVES, status=1)

    assert "if it is a shallow clone, run `git fetch --unshallow --tags` in it" in said
    run("git", "fetch", "-q", "--unshallow", "--tags", cwd=shallow)
    update(project, MOVES)
    assert follows(project)


def shallow_clone(template: Path, version: str, folder: Path) -> Path:
    clone = folder / "shallow"
    source = f"file://{template}"
    run("git", "clone", "-q", "--depth=1", f"--branch={version}", source, str(clone), cwd=folder)
    return clone


def test_a_project_of_changes_that_were_never_committed_finds_the_nearest_version(
    template: Path, tmp_path: Path
) -> None:
    """Copier commits such changes temporarily, so that the record names a commit that nobody has."""
    changed = Path(shutil.copytree(template, tmp_path / "changed"))
    run("git", "checkout", "-q", NOW, cwd=changed)
    edit(changed, f"template/{OLD}", DOCUMENTED, f"{DOCUMENTED} Tried out.")
    project = tmp_path / "backend"
    with pytest.warns(DirtyLocalWarning):
        run_copy(str(changed), project, vcs_ref="HEAD", defaults=True, quiet=True)
    run("git", "init", "-q", cwd=project)
    commit(project)

    said = update(project, MOVES, status=1)

    assert f"delete {RECORD}, run make template-adopt, which finds" in said
    (project / RECORD).unlink()
    tool(project, "recognize")
    commit(project)
    assert f"_commit: {NOW}\n" in (project / RECORD).read_text()
    update(project, MOVES)
    assert f"{DOCUMENTED} Tried out." in (project / NEW).read_text()


def test_an_update_by_renovate_is_finished_on_its_branch(project: Path) -> None:
    run("git", "checkout", "-q", "-b", "renovate/template", cwd=project)
    run_update(project, vcs_ref=MOVES, defaults=True, skip_answered=True, overwrite=True, quiet=True)
    commit(project)

    said = update(project)

    assert f"The update from {NOW} to {MOVES} was not finished: that is done now.\n" in said
    assert follows(project)


def test_copier_by_uvx_of_another_python_makes_and_updates_a_project(template: Path, tmp_path: Path) -> None:
    ours = "{}.{}".format(*sys.version_info)
    command = [uv(), "python", "find", "--quiet", "--no-project", f">=3.10,!={ours}.*"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip("there is no other Python from 3.10 on")
    copier = [uv(), "tool", "run", "--quiet", "--python", found.stdout.strip(), f"copier@{version('copier')}"]
    run(*copier, "copy", "-q", "--defaults", f"--vcs-ref={NOW}", str(template), "rendered", cwd=tmp_path)
    run("git", "init", "-q", cwd=tmp_path / "rendered")
    project = changed_project(tmp_path / "rendered", tmp_path / "backend")

    run(*copier, "update", "-q", "--defaults", f"--vcs-ref={MOVES}", cwd=project)
    commit(project)

    assert f"The update from {NOW} to {MOVES} was not finished: that is done now.\n" in update(project)
    assert follows(project)
