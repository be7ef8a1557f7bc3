"""`make drift` reports how far projects are from their template."""

import json
import sys
from pathlib import Path

import pytest

from tests.conftest import Once, run
from tests.releases import NOW, RELEASES, edit, render, template_with_releases

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def template(once: Once) -> Path:
    return once("released", template_with_releases)


def test_a_table_has_the_version_and_the_distance_of_each_project(template: Path, tmp_path: Path) -> None:
    oldest = next(iter(RELEASES))
    fresh, strayed, nothing = (tmp_path / name for name in ("fresh", "strayed", "nothing"))
    render(template, fresh, NOW, database="sqlite")
    render(template, strayed, oldest)
    nothing.mkdir()
    edit(strayed, "AGENTS.md", "# ", "# Ours, ")
    (strayed / "mine.txt").write_text("mine\n")
    (strayed / "README.md").write_text("ours\n")
    folders = f"DIRS={fresh} {strayed} {nothing}"

    table = run("make", "--silent", "drift", folders, cwd=template, status=2).splitlines()
    found = run(
        sys.executable, "-m", "scripts.drift", str(fresh), str(strayed), cwd=template, environment={"FORMAT": "json"}
    )

    assert table[0].split() == ["project", "version", "releases", "behind", "files", "lines"]
    assert table[1].split() == [str(fresh), NOW, "0", "0", "0"]
    assert table[2].split()[1:3] == [oldest, str(len(RELEASES))]
    assert table[3].endswith("It has no .copier-answers.yml that Copier wrote.")
    assert [(each["version"], each["behind"], each["fault"]) for each in json.loads(found)] == [
        (NOW, 0, ""),
        (oldest, len(RELEASES), ""),
    ]
    assert json.loads(found)[1]["files"] == 1
    assert json.loads(found)[1]["lines"] == 2


def test_it_asks_which(template: Path) -> None:
    assert run(sys.executable, "-m", "scripts.drift", cwd=template, status=1).startswith(
        "Say which projects to look at"
    )
