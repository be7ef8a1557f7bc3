"""A release is refused if it makes earlier answers or migrations invalid, or is incomplete."""

import shutil
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from scripts.answers import contract, taken_away
from scripts.behaviour import declared as declared_changes
from scripts.behaviour import faults
from scripts.moves import declared, destination, rendered
from scripts.new import ROOT
from tests.conftest import commit, run
from tests.releases import RELEASES, require_history, template_with_releases
from tests.variants import TEMPLATE

SECTION = '## 7.0.0 (2030-01-01)\n\nEverything is "new".\n\n'


@pytest.fixture(scope="module", autouse=True)
def _history() -> None:
    require_history()


def test_the_recorded_answers_are_those_of_the_template() -> None:
    assert yaml.safe_load((ROOT / "tests/contract.yml").read_text("utf-8")) == contract(TEMPLATE)


@pytest.mark.parametrize("commit", RELEASES.values(), ids=list(RELEASES))
def test_an_answer_of_a_release_is_an_answer_today(commit: str) -> None:
    released = yaml.safe_load(run("git", "show", f"{commit}:copier.yml", cwd=ROOT))

    assert list(taken_away(contract(released), contract(TEMPLATE))) == []


@pytest.mark.parametrize("commit", RELEASES.values(), ids=list(RELEASES))
def test_a_migration_of_a_release_is_as_it_was(commit: str) -> None:
    assert (
        run("git", "diff", "--name-only", "--diff-filter=a", commit, "--", "template/alembic/versions", cwd=ROOT) == ""
    )


def test_what_is_taken_away_is_named() -> None:
    old = {
        "gone": {"type": "str", "choices": []},
        "typed": {"type": "str", "choices": []},
        "chosen": {"type": "str", "choices": ["a", "b"]},
        "free": {"type": "str", "choices": []},
        "grown": {"type": "str", "choices": ["a"]},
    }
    new = {
        "typed": {"type": "bool", "choices": []},
        "chosen": {"type": "str", "choices": ["b", "c"]},
        "free": {"type": "str", "choices": ["a"]},
        "grown": {"type": "str", "choices": ["a", "b"]},
        "added": {"type": "str", "choices": []},
    }

    assert list(taken_away(old, new)) == [
        "The question gone is gone.",
        "The question typed was of type str and is of type bool.",
        "The choice a of chosen is gone.",
        "The question free took any answer and takes some only.",
    ]


def test_what_moved_is_where_the_moves_lead() -> None:
    moves = declared((ROOT / "moves.toml").read_text("utf-8"))
    files = run("git", "ls-files", "-co", "--exclude-standard", "--", "template", cwd=ROOT).splitlines()

    assert {destination(new, moves) for _, new in moves} <= {rendered(name) for name in files}


def test_releases_are_listed_in_order_and_in_the_changelog() -> None:
    listed = tomllib.loads((ROOT / "releases.toml").read_text("utf-8"))["release"]
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")

    assert len(listed) >= 3
    for release in listed:
        assert f"## {release['version']} (" in changelog
        assert release["changes"] in changelog
    for older, newer in zip(RELEASES.values(), list(RELEASES.values())[1:], strict=False):
        run("git", "merge-base", "--is-ancestor", older, newer, cwd=ROOT)
    run("git", "merge-base", "--is-ancestor", list(RELEASES.values())[-1], "HEAD", cwd=ROOT)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the repository, pushed to main and ready for a release. Its tests are a command that succeeds."""
    repository = template_with_releases(tmp_path_factory.mktemp("released") / "template")
    changelog = repository / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("## 0.3.0", f"{SECTION}## 0.3.0"))
    (repository / ".ci/run").write_text("exit 0\n")
    (repository / "behaviour.toml").write_text(released_behaviour())
    publish(repository)
    return repository


def released_behaviour() -> str:
    """Returns the behaviour.toml of the last release, whose entries must stay."""
    return run("git", "show", f"{list(RELEASES.values())[-1]}:behaviour.toml", cwd=ROOT)


@pytest.fixture
def repository(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "strata"))


def publish(repository: Path) -> None:
    commit(repository)
    run("git", "update-ref", "refs/remotes/origin/main", "HEAD", cwd=repository)


def release(repository: Path, version: str = "7.0.0", *, status: int = 0) -> str:
    return run(sys.executable, "-m", "scripts.release", version, cwd=repository, status=status)


def test_a_release_is_listed_and_tagged(repository: Path) -> None:
    head = run("git", "rev-parse", "HEAD", cwd=repository).strip()

    said = release(repository)

    assert "7.0.0 is tagged, and listed in releases.toml." in said
    assert tomllib.loads((repository / "releases.toml").read_text())["release"][-1] == {
        "version": "7.0.0",
        "commit": head,
        "changes": 'Everything is "new".',
    }
    assert run("git", "rev-parse", "v7.0.0^{commit}", cwd=repository).strip() == head
    assert run("git", "status", "--porcelain", cwd=repository) == " M releases.toml\n"


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        ("CHANGELOG.md", SECTION, "", "lacks a section `## 7.0.0 (date)`"),
        (".ci/run", "exit 0", "exit 1", "The tests fail: nothing was released."),
        ("copier.yml", '["3.12", ', "[", "The choice 3.12 of python_version is gone."),
        ("template/alembic/versions/0001_users.py", '"""', '"""The ', "A shipped migration is never changed:"),
    ],
    ids=["no section", "failing tests", "a choice is gone", "another migration"],
)
def test_what_must_not_be_released_is_refused(repository: Path, name: str, old: str, new: str, sentence: str) -> None:
    text = (repository / name).read_text()
    assert old in text
    (repository / name).write_text(text.replace(old, new, 1))
    publish(repository)

    assert sentence in release(repository, status=1)
    assert run("git", "tag", "--list", "v7*", cwd=repository) == ""
    assert run("git", "status", "--porcelain", cwd=repository) == ""


def move(repository: Path, old: str, new: str) -> None:
    run("git", "mv", f"template/{old}", f"template/{new}", cwd=repository)
    publish(repository)


def declare(repository: Path, old: str, new: str) -> None:
    with (repository / "moves.toml").open("a") as file:
        file.write(f'\n[[move]]\nfrom = "{old}"\nto = "{new}"\n')
    publish(repository)


def test_a_move_since_the_last_release_has_to_be_declared(repository: Path) -> None:
    old, between, new = "app/core/passwords.py", "app/core/hashes.py", "app/core/hashing.py"
    move(repository, old, new)

    assert f"{old} moved to {new}: declare it in moves.toml." in release(repository, status=1)
    declare(repository, old, between)
    assert f"{old} moved to {new}: declare it in moves.toml." in release(repository, status=1)
    declare(repository, between, new)
    release(repository)


def test_a_move_of_an_earlier_release_declares_no_later_one(repository: Path) -> None:
    old, new = "app/core/passwords.py", "app/core/hashing.py"
    declare(repository, old, new)
    release(repository)
    publish(repository)
    move(repository, old, new)
    changelog = repository / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace(SECTION, f"{SECTION.replace('7.0', '8.0')}{SECTION}"))
    publish(repository)

    assert f"{old} moved to {new}: declare it in moves.toml." in release(repository, "8.0.0", status=1)


def test_a_file_that_gains_jinja_has_not_moved(repository: Path) -> None:
    move(repository, "app/core/passwords.py", "app/core/passwords.py.jinja")

    release(repository)


def test_only_a_new_version_of_a_commit_that_stays_is_released(repository: Path) -> None:
    assert "Say which version, as three numbers" in release(repository, "7", status=1)
    newest = list(RELEASES)[-1].removeprefix("v")
    assert f"0.2.5 is not newer than {newest}" in release(repository, "0.2.5", status=1)
    assert "tags never move" in release(repository, "1000.0.0", status=1)
    (repository / "README.md").write_text("mine\n")
    assert "not committed" in release(repository, status=1)
    commit(repository)
    assert "not on origin/main" in release(repository, status=1)


CHANGE = '\n[[change]]\nsince = "{}"\nsays = "It differs."\n{}\n'


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (CHANGE.format("6.0.0", ""), "A new entry is of 6.0.0, and this is 7.0.0: It differs."),
        (CHANGE.format("7.0.0", 'option = "cache=redis"'), "There is no option cache=redis"),
        (CHANGE.format("7.0.0", 'edited = "app/mine.py"'), "The template never had app/mine.py"),
        (CHANGE.format("7.0.0", 'edit = "app"'), "An entry has `since`, `says` and any of"),
        (CHANGE.format("7.0.0", "").replace("differs.", "differs"), "`says` must be a sentence"),
    ],
)
def test_a_change_of_behaviour_is_declared_for_this_release_and_for_projects_that_can_be(
    repository: Path, change: str, sentence: str
) -> None:
    declare_change(repository, change)

    assert f"behaviour.toml: {sentence}" in release(repository, status=1)


def declare_change(repository: Path, change: str) -> None:
    """Declares a change of behaviour, as the only one since the last release."""
    (repository / "behaviour.toml").write_text(released_behaviour() + change)
    publish(repository)


def test_a_declared_change_of_behaviour_stays_as_it_was(repository: Path) -> None:
    valid = CHANGE.format("7.0.0", 'option = "cache=valkey"\nedited = "app/core"\nresource = "access=owner"')
    declare_change(repository, valid)
    release(repository)
    publish(repository)
    changelog = repository / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace(SECTION, f"{SECTION.replace('7.0', '8.0')}{SECTION}"))
    declare_change(repository, valid.replace("It differs", "It differs much"))

    assert "An entry of 7.0.0, which projects have seen, was changed" in release(repository, "8.0.0", status=1)


def test_what_is_declared_here_makes_sense_to_projects() -> None:
    names = [rendered(name) for name in run("git", "ls-files", "template", cwd=ROOT).splitlines()]

    assert list(faults(declared_changes((ROOT / "behaviour.toml").read_text("utf-8")), contract(TEMPLATE), names)) == []
