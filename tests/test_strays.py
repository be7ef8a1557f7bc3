"""A project that has diverged can restore single files, and the record of its template."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.conftest import Once, Render, commit, run
from tests.releases import NOW, contents, edit
from tests.releases import render as render_version
from tests.small import DOCUMENTED, GUIDE, MOVES, NEW, OLD, OURS, REMOVED, changed_project, small_template, tool
from tests.variants import PROFILES, UNICODE, Answers

pytestmark = pytest.mark.slow

FRESH = f"Each of these files is as {NOW} renders it.\n"
RECORD = ".copier-answers.yml"


@pytest.fixture(scope="module")
def template(once: Once) -> Path:
    return once("small", small_template)


@pytest.fixture(scope="module")
def rendered(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_version(template, tmp_path_factory.mktemp("rendered") / "backend")


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
    assert f"Restored to what {NOW} renders: {REMOVED}, {OLD}.\n" in said
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
    assert "mine.txt is not a file of the template" in heal(project, "mine.txt", status=1)
    assert contents(project) == before
    assert "Our questions." in heal(project, DRY="1")


def adopt(project: Path, template: Path | str = "", *, status: int = 0, **variables: str) -> str:
    return tool(project, "recognize", status=status, TEMPLATE_SOURCE=str(template), **variables)


def test_a_copy_without_a_record_gets_that_of_the_nearest_version(template: Path, tmp_path: Path) -> None:
    project = render_version(template, tmp_path / "backend", MOVES, mail="none")  # no file shows this answer
    with (project / GUIDE).open("a") as guide:
        guide.write("Ours.\n")
    (project / NEW).unlink()
    recorded = (project / RECORD).read_bytes()
    (project / RECORD).unlink()
    shutil.rmtree(project / ".git")
    before = files(project)

    refused, shown = adopt(project, status=1), adopt(project, template, DRY="1")
    assert files(project) == before
    said = adopt(project, template)

    assert refused.startswith("The template of this project is not recorded: give its address")
    assert re.search(rf"    {MOVES}: 2 of \d+ files differ, by 8 lines\n", said), said
    assert f"The nearest is {MOVES}: this wrote it to {RECORD}, with these answers" in said
    assert shown == said.replace("this wrote", "this would write")
    assert files(project) == before | {RECORD: recorded}
    assert "there is nothing to adopt" in adopt(project, template, status=1)


def files(project: Path) -> dict[str, bytes]:
    paths = [path for path in project.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {str(path.relative_to(project)): path.read_bytes() for path in paths}


def test_what_git_still_knows_is_asked_first(project: Path) -> None:
    edit(project, RECORD, "mail: smtp", "mail: none")
    commit(project)
    recorded = (project / RECORD).read_bytes()
    (project / RECORD).unlink()
    commit(project)

    adopt(project)

    assert (project / RECORD).read_bytes() == recorded


def test_what_is_no_template_is_refused(project: Path, tmp_path: Path) -> None:
    (project / RECORD).unlink()
    commit(project)
    other = tmp_path / "other"
    other.mkdir()
    run("git", "init", "-q", cwd=other)
    commit(other)
    before = contents(project)

    refused = f"What is at {other} is not a template that records its version in projects.\n"
    assert adopt(project, other, status=1) == refused
    assert adopt(project, tmp_path / "nowhere", status=1).startswith("No template can be reached at ")
    assert contents(project) == before


@pytest.mark.parametrize(
    "answers", [*PROFILES.values(), UNICODE | {"database": "sqlite", "ci": "gitlab", "license": "none"}]
)
def test_the_answers_are_seen_in_the_files(render: Render, answers: Answers) -> None:
    project = render(**answers)

    code = "import json; from scripts.template.guess import guessed; print(json.dumps(guessed()))"
    seen = json.loads(tool(project, "-c", code))

    known = yaml.safe_load((project / RECORD).read_text("utf-8"))
    asked = {name: value for name, value in known.items() if name not in {"_commit", "_src_path", "kind", "profile"}}
    assert {"author_email": ""} | {name: value for name, value in seen.items() if name in asked} == asked
