"""The template moves and removes files, and no change that a project made in them is lost."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from copier import VcsRef, run_update

from tests.conftest import Once, commit, run
from tests.releases import NOW, conflicts, contents, edit, render
from tests.small import (
    DOCUMENTED,
    FORWARDER,
    GUIDANCE,
    GUIDE,
    GUIDE_MOVED,
    GUIDE_MOVED_AGAIN,
    MOVES,
    MOVES_AGAIN,
    NEW,
    NEWEST,
    OLD,
    OURS,
    PICTURE,
    PICTURE_MOVED,
    PLACE,
    REMOVED,
    changed_project,
    release,
    small_template,
    update,
)

pytestmark = pytest.mark.slow

KEPT = "which stay because you changed them: move what you still need to where it belongs now, and delete them:\n"
HEALED = "was not finished: that is done now.\n"


@pytest.fixture(scope="module")
def template(once: Once) -> Path:
    return once("small", small_template)


@pytest.fixture(scope="module")
def rendered(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(template, tmp_path_factory.mktemp("rendered") / "backend")


@pytest.fixture
def project(rendered: Path, tmp_path: Path) -> Path:
    return changed_project(rendered, tmp_path / "backend")


def update_without_moves(project: Path, version: str) -> None:
    run_update(project, vcs_ref=version, defaults=True, overwrite=True, quiet=True)


def assert_carried(project: Path, to: str) -> None:
    text = (project / to).read_text()
    assert f"{DOCUMENTED} Moved." in text
    assert text.count(OURS + PLACE) == 1
    assert (project / to).stat().st_mode & 0o111
    assert not (project / OLD).exists()
    assert conflicts(project) == []


@pytest.mark.parametrize(("version", "to"), [(MOVES, NEW), (MOVES_AGAIN, NEWEST)])
def test_edits_follow_a_file_to_where_it_lies_in_the_end(project: Path, version: str, to: str) -> None:
    said = update(project, version)

    assert f"and your changes moved with them:\n    {OLD} -> {to}\n\n" in said
    assert "There are no conflicts" in said
    assert_carried(project, to)


def test_edits_follow_a_file_from_one_release_to_the_next(project: Path) -> None:
    update(project, MOVES)
    commit(project)

    said = update(project, MOVES_AGAIN)

    assert f"    {NEW} -> {NEWEST}\n" in said
    assert_carried(project, NEWEST)
    assert not (project / NEW).exists()


def test_edits_follow_where_the_template_has_no_tags(template: Path, tmp_path: Path) -> None:
    untagged = tmp_path / "template"
    run("git", "clone", "-q", "--no-tags", str(template), str(untagged), cwd=tmp_path)
    released = run("git", "rev-parse", f"{NOW}^{{commit}}", cwd=template).strip()
    project = render(untagged, tmp_path / "backend", released)
    edit(project, OLD, PLACE, OURS + PLACE)
    (project / OLD).chmod(0o755)
    commit(project)

    update(project)

    assert_carried(project, NEWEST)


def test_what_the_template_put_at_the_old_place_is_as_it_put_it(project: Path) -> None:
    edit(project, GUIDE, GUIDANCE, f"{GUIDANCE}Ours.\n")
    commit(project)

    update(project, MOVES)

    assert conflicts(project) == []
    assert (project / GUIDE).read_text() == FORWARDER
    assert f"{GUIDANCE}Ours.\n" in (project / GUIDE_MOVED).read_text()


def test_a_move_of_a_release_that_the_project_has_is_not_followed_again(template: Path, tmp_path: Path) -> None:
    project = render(template, tmp_path / "backend", MOVES)
    edit(project, GUIDE, FORWARDER, f"{FORWARDER}Ours.\n")
    commit(project)

    update(project, MOVES_AGAIN)

    assert (project / GUIDE).read_text() == f"{FORWARDER}Ours.\n"
    assert "Ours." not in (project / GUIDE_MOVED_AGAIN).read_text()


def test_what_both_changed_is_in_conflict_with_both_sides(project: Path) -> None:
    edit(project, OLD, DOCUMENTED, "Our questions.")
    commit(project)

    said = update(project, MOVES)

    assert f"There are conflicts, from <<<<<<< to >>>>>>>, in:\n    {NEW} (lines 1 to 5)\n" in said
    assert conflicts(project) == [NEW]
    ours, theirs = '"""Our questions."""', f'"""{DOCUMENTED} Moved."""'
    marked = f"<<<<<<< before updating\n{ours}\n=======\n{theirs}\n>>>>>>> after updating\n"
    assert (project / NEW).read_text().startswith(marked)
    run("git", "checkout", "--theirs", NEW, cwd=project)
    assert (project / NEW).read_text().startswith(theirs)
    run("git", "checkout", "--ours", NEW, cwd=project)
    assert (project / NEW).read_text().startswith(ours)


def test_a_file_that_is_no_text_is_in_conflict_and_stays_as_the_project_has_it(project: Path) -> None:
    (project / PICTURE).write_bytes(b"\0ours")
    commit(project)

    update(project, MOVES)

    assert conflicts(project) == [PICTURE_MOVED]
    assert (project / PICTURE_MOVED).read_bytes() == b"\0ours"
    run("git", "checkout", "--theirs", PICTURE_MOVED, cwd=project)
    assert (project / PICTURE_MOVED).read_bytes() == b"\0new"


def test_edits_follow_in_a_project_that_is_a_folder_of_a_repository(rendered: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    project = repository / "services/backend"
    shutil.copytree(rendered, project, ignore=shutil.ignore_patterns(".git"))
    run("git", "init", "-q", cwd=repository)
    edit(project, OLD, PLACE, OURS + PLACE)
    edit(project, GUIDE, "# Guide", "# Ours")
    (project / OLD).chmod(0o755)
    commit(repository)
    update_without_moves(project, MOVES)
    commit(repository)

    assert HEALED in update(project, MOVES)

    assert_carried(project, NEW)


def test_a_file_that_the_project_deleted_stays_away(project: Path) -> None:
    (project / OLD).unlink()
    commit(project)

    said = update(project, MOVES)

    assert f"which you had deleted: they stay deleted:\n    {OLD} -> {NEW}\n" in said
    assert not (project / NEW).exists()


def test_a_file_of_the_projects_own_at_the_new_place_is_left_alone(project: Path) -> None:
    (project / NEW).write_text("# Our own.\n")
    commit(project)
    before = (project / OLD).read_text()

    said = update(project, MOVES)

    assert f"{KEPT}    {REMOVED}\n    {OLD}\n" in said
    assert (project / OLD).read_text() == before
    assert "# Our own.\n" in (project / NEW).read_text()


def test_a_removed_file_stays_only_where_the_project_changed_it(project: Path, rendered: Path, tmp_path: Path) -> None:
    unedited = Path(shutil.copytree(rendered, tmp_path / "unedited"))

    said, said_of_unedited = update(project, MOVES), update(unedited, MOVES)

    assert f"{KEPT}    {REMOVED}\n" in said
    assert (project / REMOVED).read_text().startswith("# Ours: ")
    assert f"which you had not changed:\n    {REMOVED}\n\n" in said_of_unedited
    assert not (unedited / REMOVED).exists()


def test_a_project_without_edits_is_as_a_fresh_render(template: Path, rendered: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(rendered, tmp_path / "backend"))

    update(project, MOVES_AGAIN)

    assert contents(project) == contents(render(template, tmp_path / "fresh", MOVES_AGAIN))


def leave(_: Path) -> None:
    """Leaves the update uncommitted."""


@pytest.mark.parametrize("save", [leave, commit])
def test_an_update_that_did_not_follow_is_healed_once(project: Path, save: Callable[[Path], None]) -> None:
    update_without_moves(project, MOVES_AGAIN)
    assert OURS not in (project / NEWEST).read_text()
    save(project)

    said = update(project)

    assert said.startswith(f"The update from {NOW} to {MOVES_AGAIN} {HEALED}")
    assert f"    {OLD} -> {NEWEST}\n" in said
    assert_carried(project, NEWEST)
    assert (project / REMOVED).read_text().startswith("# Ours: ")
    healed = contents(project)
    assert "There are changes that are not committed" in update(project, status=1)
    commit(project)
    assert update(project) == f"The project is at {MOVES_AGAIN}: nothing is newer.\n"
    assert contents(project) == healed


@pytest.mark.parametrize("save", [leave, commit])
def test_healing_ends_in_a_conflict_where_both_changed_the_lines(project: Path, save: Callable[[Path], None]) -> None:
    edit(project, OLD, DOCUMENTED, "Our questions.")
    commit(project)
    update_without_moves(project, MOVES)
    save(project)

    said = update(project, MOVES)

    assert "Resolve each conflict" in said
    assert conflicts(project) == [NEW]
    run("git", "checkout", "--theirs", NEW, cwd=project)
    commit(project)
    assert update(project, MOVES) == f"The project is at {MOVES}: {MOVES} is not newer.\n"


def test_a_conflict_that_was_resolved_as_the_template_has_it_does_not_come_back(project: Path) -> None:
    edit(project, OLD, DOCUMENTED, "Our questions.")
    commit(project)
    update(project, MOVES)
    run("git", "checkout", "--theirs", NEW, cwd=project)
    commit(project)

    assert update(project, MOVES) == f"The project is at {MOVES}: {MOVES} is not newer.\n"
    # Copier rewrites the file of answers, and drops the record that the moves were followed.
    run_update(project, vcs_ref=VcsRef.CURRENT, data={"mail": "none"}, defaults=True, overwrite=True, quiet=True)
    commit(project)
    assert update(project, MOVES) == f"The project is at {MOVES}: {MOVES} is not newer.\n"


def test_healing_leaves_alone_what_was_changed_at_the_new_place(project: Path) -> None:
    (project / REMOVED).unlink()
    commit(project)
    update_without_moves(project, MOVES)
    edit(project, NEW, PLACE, OURS + PLACE)
    commit(project)
    before = contents(project)

    assert update(project, MOVES) == f"The project is at {MOVES}: {MOVES} is not newer.\n"
    assert contents(project) == before


def test_only_an_update_that_lost_edits_may_be_uncommitted(project: Path) -> None:
    (project / "mine.txt").write_text("mine\n")
    assert "not committed (mine.txt)" in update(project, MOVES, status=1)
    (project / "mine.txt").unlink()
    update(project, MOVES)
    before = contents(project)

    assert "There are changes that are not committed" in update(project, MOVES, status=1)
    assert contents(project) == before


@pytest.mark.parametrize("moves", ["[[move", '[[move]]\nfrom = "a"\n', '[[move]]\nfrom = "a"\nto = "../a"\n'])
def test_moves_that_are_not_valid_change_nothing(template: Path, tmp_path: Path, moves: str) -> None:
    broken = Path(shutil.copytree(template, tmp_path / "template"))
    (broken / "moves.toml").write_text(moves)
    release(broken, "v1003.0.0")
    project = render(broken, tmp_path / "backend")

    said = update(project, status=1)

    assert said == "moves.toml of the template's v1003.0.0 is not valid: report it to its maintainers.\n"
    assert run("git", "status", "--porcelain", cwd=project) == ""
