"""The template moves and removes files, and what a project changed in them is not lost."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from copier import VcsRef, run_update

from scripts.new import ROOT
from tests.conftest import commit, run
from tests.releases import NOW, conflicts, contents, edit, render

pytestmark = pytest.mark.slow

# A release that moves files and removes one, and one that moves them again.
MOVES, MOVES_AGAIN = "v1001.0.0", "v1002.0.0"
OLD, NEW, NEWEST = "app/routes.py", "app/paths.py", "app/core/paths.py"
REMOVED = "SECURITY.md"
PICTURE, PICTURE_MOVED = "logo.bin", "app.bin"
# A file that leaves another one behind where it was.
GUIDE, GUIDE_MOVED, GUIDE_MOVED_AGAIN = "AGENTS.md", "CODING.md", "GUIDE.md"
GUIDANCE, FORWARDER = "For people.\n", "# See CODING.md\n"
DOCUMENTED = "The paths that the application serves."
ANSWERS = "{{ _copier_conf.answers_file }}.jinja"
QUESTIONS = """
_subdirectory: template
_envops:
  keep_trailing_newline: true
_exclude: []
mail:
  type: str
  default: smtp
"""
CODE = f'''"""{DOCUMENTED}"""

from collections.abc import Iterable


def paths(served: Iterable[str]) -> list[str]:
    return sorted(served)
'''
FILES = {OLD: CODE, GUIDE: f"# Guide\n\n{GUIDANCE}", REMOVED: "# Security\n", PICTURE: "\0old"}
KEPT = "which stay because you changed them: move what you still need to where it belongs now, and delete them:\n"
PLACE, OURS = "    return sorted(served)\n", "    # Ours: in order.\n"
HEALED = "was not finished: that is done now.\n"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small one that has our own tooling, so that an update takes a second."""
    template = first_release(tmp_path_factory.mktemp("released") / "template")
    (template / "template" / REMOVED).unlink()
    move(template, OLD, NEW)
    move(template, GUIDE, GUIDE_MOVED)
    move(template, PICTURE, PICTURE_MOVED)
    edit(template, f"template/{NEW}", DOCUMENTED, f"{DOCUMENTED} Moved.")
    (template / "template" / GUIDE).write_text(FORWARDER)
    (template / "template" / PICTURE_MOVED).write_text("\0new")
    release(template, MOVES)
    move(template, NEW, NEWEST)
    move(template, GUIDE_MOVED, GUIDE_MOVED_AGAIN)
    release(template, MOVES_AGAIN)
    return template


def first_release(template: Path) -> Path:
    shutil.copytree(ROOT / "template/scripts", template / "template/scripts")
    for name in (".gitignore", ANSWERS):
        shutil.copy2(ROOT / "template" / name, template / "template" / name)
    for name, text in FILES.items():
        (template / "template" / name).parent.mkdir(exist_ok=True)
        (template / "template" / name).write_text(text)
    (template / "copier.yml").write_text(QUESTIONS)
    run("git", "init", "-q", cwd=template)
    release(template, NOW)
    return template


def move(template: Path, old: str, new: str) -> None:
    (template / "template" / new).parent.mkdir(exist_ok=True)
    run("git", "mv", f"template/{old}", f"template/{new}", cwd=template)
    with (template / "moves.toml").open("a") as file:
        file.write(f'\n[[move]]\nfrom = "{old}"\nto = "{new}"\n')


def release(template: Path, version: str) -> None:
    commit(template)
    run("git", "tag", version, cwd=template)


@pytest.fixture(scope="module")
def rendered(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(template, tmp_path_factory.mktemp("rendered") / "backend")


@pytest.fixture
def project(rendered: Path, tmp_path: Path) -> Path:
    """A project that knows of the later releases, and changed what they move and remove."""
    project = Path(shutil.copytree(rendered, tmp_path / "backend"))
    edit(project, OLD, PLACE, OURS + PLACE)
    edit(project, REMOVED, "# ", "# Ours: ")
    (project / OLD).chmod(0o755)
    commit(project)
    return project


def update(project: Path, version: str = "", *, status: int = 0) -> str:
    """What `make update` does, in our own environment."""
    environment = {"UPDATE_VERSION": version, "UPDATE_TRUST": ""}
    return run(sys.executable, "-m", "scripts.template.update", cwd=project, status=status, environment=environment)


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

    assert f"and your changes went along:\n    {OLD} -> {to}\n\n" in said
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

    assert f"There are conflicts, from <<<<<<< to >>>>>>>, in:\n    {NEW}\n" in said
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

    assert f"which you had deleted: they stay away:\n    {OLD} -> {NEW}\n" in said
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
    """The update is not committed."""


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
    # Copier writes the answers anew, and the record of it goes.
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

    assert said == "moves.toml of the template's v1003.0.0 is not valid: tell those who maintain the template.\n"
    assert run("git", "status", "--porcelain", cwd=project) == ""
