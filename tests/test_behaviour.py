"""An update tells a project which changes of behaviour affect it, and mentions no others."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import Once, commit
from tests.releases import NOW, edit, render
from tests.small import GUIDE, MOVES_AGAIN, OLD, OURS, PLACE, REMOVED, release, small_template, update

pytestmark = pytest.mark.slow

# Each entry has a condition. The project meets the first three, and does not know the next one.
CHANGES = {
    "everybody": "",
    "option": 'option = "mail=smtp"',
    "edited": 'edited = "app"',
    "a condition of later": 'colour = "red"',
    "another option": 'option = "mail=none"',
    "not edited": f'edited = "{GUIDE}"',
    "no resource": 'resource = "*"',
    "only one of two": f'option = "mail=smtp"\nedited = "{REMOVED}"',
}
TOLD = "What behaves differently in this project:\n\n"
DIFFERS = "v1003.0.0"


def declared(changes: dict[str, str]) -> str:
    return "\n".join(f'[[change]]\nsince = "{DIFFERS}"\nsays = "{says}."\n{when}\n' for says, when in changes.items())


def template_that_declares(text: str, template: Path, version: str = DIFFERS) -> Path:
    (template / "behaviour.toml").write_text(text)
    release(template, version)
    return template


@pytest.fixture
def template(once: Once, tmp_path: Path) -> Path:
    return Path(shutil.copytree(once("small", small_template), tmp_path / "template"))


def test_only_what_concerns_the_project_is_told_and_once(template: Path, tmp_path: Path) -> None:
    template_that_declares(declared(CHANGES), template)
    project = render(template, tmp_path / "backend", NOW)
    edit(project, OLD, PLACE, OURS + PLACE)
    commit(project)

    assert TOLD not in update(project, MOVES_AGAIN, DRY="1")
    said = update(project, DIFFERS)

    sentences = "".join(f"    {DIFFERS}: {says}.\n" for says in list(CHANGES)[:4])
    assert f"{TOLD}{sentences}\n" in said
    commit(project)
    template_that_declares(declared(CHANGES), template, "v1004.0.0")
    assert TOLD not in update(project)


def test_what_is_not_valid_changes_nothing(template: Path, tmp_path: Path) -> None:
    template_that_declares('[[change]]\nsays = "It differs."\n', template)
    project = render(template, tmp_path / "backend", NOW)

    assert update(project, status=1).splitlines()[-1] == (
        f"behaviour.toml of the template's {DIFFERS} is not valid: report it to its maintainers."
    )
