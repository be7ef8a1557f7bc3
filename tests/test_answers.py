"""A wrong answer is refused in one plain sentence and writes nothing; a right one gives a project that parses."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from copier import run_copy
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment, FileSystemLoader

from scripts import answers_page
from scripts.new import ROOT, questions, render
from tests.conftest import Render, run, uv
from tests.variants import SHORT, TEMPLATE, choices

MACROS = Environment(loader=FileSystemLoader(ROOT), autoescape=False)  # noqa: S701 (reads a list, renders no page)


def copier(*arguments: str | Path, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "copier", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


WRONG = [
    ("project_name=", "The project name is empty"),
    ("project_name= x", "begins or ends with a blank"),
    (f"project_name={'x' * 61}", "longer than 60 characters"),
    ('project_name=a"b', "leave it out"),
    ("project_name=a\\b", "leave it out"),
    ("project_name=$(id)", "leave it out"),
    ("project_name=`id`", "leave it out"),
    ("project_name={{ 7*7 }}", "leave it out"),
    ("project_name={% raw %}", "leave it out"),
    ("project_name=a\nb", "control character"),
    ("project_name=a\n", "begins or ends with a blank"),
    ("project_name=a\u202eb", "control character"),
    ("project_name=a\u200bb", "control character"),
    ("description=", "The description is empty"),
    ("author_name=<script>", "leave it out"),
    ("author_email=nobody", "must look like name@example.com"),
    ("project_slug=My_App", "must be lower-case letters"),
    ("project_slug=../../evil", "must be lower-case letters"),
    ("project_slug=fastapi", "choose another one"),
    ("license=WTFPL", "Invalid choice for 'license'"),
    ("python_version=2.7", "Invalid choice for 'python_version'"),
    ("kind=resources", "Invalid choice for 'kind'"),
    ("profile=huge", "Invalid choice for 'profile'"),
    ("database=mysql", "Invalid choice for 'database'"),
    ("tasks=taskiq", "Taskiq needs the Valkey cache: choose cache=valkey."),
    ("observability=[logs]", "Invalid choice for 'observability'"),
    ("mail=post", "Invalid choice for 'mail'"),
    ("ci=jenkins", "Invalid choice for 'ci'"),
]

# These are written as on a command line.
CHOSEN = {
    "profile": "minimal",
    "license": "MIT",
    "python_version": "3.13",
    "database": "postgresql",
    "cache": "none",
    "tasks": "none",
    "observability": "[]",
    "mail": "none",
    "kubernetes": "false",
    "ci": "none",
}


@pytest.mark.parametrize(("answer", "sentence"), WRONG, ids=[repr(answer) for answer, _ in WRONG])
def test_a_wrong_answer_writes_nothing_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: str, sentence: str
) -> None:
    name, value = answer.split("=", 1)

    with pytest.raises(SystemExit) as stopped:
        render(str(tmp_path / "new"), SHORT | CHOSEN | {name: value})

    assert sentence in str(stopped.value)
    assert "\n" not in str(stopped.value)
    assert "Traceback" not in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_sqlite_in_a_cluster_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="Kubernetes needs PostgreSQL, since SQLite is a file on one machine"):
        render(str(tmp_path / "new"), SHORT | CHOSEN | {"database": "sqlite", "kubernetes": "true"})


def test_plain_copier_ends_with_the_sentence(tmp_path: Path) -> None:
    process = copier("copy", "--defaults", "-d", "project_slug=My_App", ROOT, tmp_path / "new")

    assert process.returncode != 0
    assert process.stderr.strip().splitlines()[-1].endswith("begin with a letter, and have at most 50 characters.")
    assert not (tmp_path / "new").exists()


def test_make_new_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="make new DEST="):
        render("", {})
    with pytest.raises(SystemExit, match="There is no answer licence: there are author_email"):
        render(str(tmp_path / "new"), {"licence": "MIT"})


def test_copier_names_an_answer_that_nobody_asked_for(tmp_path: Path) -> None:
    process = copier("copy", "--defaults", "--pretend", "-d", "licence=MIT", ROOT, tmp_path / "new")

    assert process.returncode == 0
    assert "Unknown answers, ignored: licence." in process.stderr


def test_no_trust_is_asked(tmp_path: Path) -> None:
    assert not {"_tasks", "_jinja_extensions", "_migrations"} & TEMPLATE.keys()
    process = copier("copy", "--defaults", ROOT, tmp_path / "new")

    assert process.returncode == 0, process.stderr
    for command in ("cd ", "git init", "git add", "git commit", "make install", "make dev"):
        assert command in process.stderr


def test_a_rendered_project_is_not_rendered_over(project: Path) -> None:
    (project / "app/main.py").write_text("# mine\n")

    process = copier("copy", "--defaults", ROOT, project)

    assert process.returncode != 0
    assert "already holds a rendered project: run `make update`" in process.stderr.splitlines()[-1]
    assert (project / "app/main.py").read_text() == "# mine\n"


@pytest.fixture
def committed(clone: Path, tmp_path: Path) -> Path:
    """Returns a project that was rendered from a clone and committed."""
    project = tmp_path / "project"
    run_copy(str(clone), project, defaults=True, quiet=True, vcs_ref="HEAD")
    git("init", "-q", cwd=project)
    commit_all(project)
    return project


def git(*arguments: str, cwd: Path) -> str:
    return subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True).stdout


def commit_all(repository: Path) -> None:
    git("add", "-A", cwd=repository)
    git("commit", "-qm", "all", cwd=repository)


def test_updating_to_the_same_version_changes_nothing(committed: Path) -> None:
    process = copier("update", "--defaults", "--vcs-ref=:current:", cwd=committed)

    assert process.returncode == 0, process.stderr
    assert git("status", "--porcelain", cwd=committed) == ""


def test_an_update_brings_what_is_new_and_keeps_what_is_the_projects(committed: Path, clone: Path) -> None:
    dependency = "    # Your own dependencies go below this line: an update never touches it.\n"
    for name, old, new in [
        ("pyproject.toml", dependency, f'{dependency}    "tenacity>=9",\n'),
        ("README.md", "## Start", "## Our way to start"),
    ]:
        text = (committed / name).read_text("utf-8")
        assert old in text
        (committed / name).write_text(text.replace(old, new), "utf-8")
    commit_all(committed)
    newer = clone.parent / "newer"
    git("clone", "-q", str(clone), str(newer), cwd=clone.parent)
    for name, old, new in [
        ("template/pyproject.toml.jinja", '    "uuid-utils', '    "another>=1",\n    "uuid-utils'),
        ("template/README.md.jinja", "## Layers", "## The layers"),
        ("template/.env.example.jinja", "# --- Database", "# --- The database"),
    ]:
        text = (newer / name).read_text("utf-8")
        assert old in text
        (newer / name).write_text(text.replace(old, new), "utf-8")
    commit_all(newer)
    answers = committed / ".copier-answers.yml"
    answers.write_text(answers.read_text("utf-8").replace(str(clone), str(newer)), "utf-8")
    commit_all(committed)

    process = copier("update", "--defaults", "--vcs-ref=HEAD", cwd=committed)

    assert process.returncode == 0, process.stderr
    assert git("diff", "--name-only", "--diff-filter=U", cwd=committed) == ""
    dependencies = tomllib.loads((committed / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    assert {"tenacity>=9", "another>=1"} <= set(dependencies)
    readme = (committed / "README.md").read_text("utf-8")
    assert "## Our way to start" in readme
    assert "## Layers" in readme
    assert "# --- The database" in (committed / ".env.example").read_text("utf-8")


def test_the_known_answers_are_the_questions() -> None:
    module: Any = MACROS.get_template("macros/messages.jinja").module
    known = module.questions
    assert {kind: set(names) for kind, names in known.items()} == {kind: questions(kind) for kind in choices("kind")}


def test_a_repository_that_a_forge_began_is_left_alone_unless_it_may_be_replaced(tmp_path: Path) -> None:
    names = [".gitignore", "LICENSE", "README.md"]
    for name in names:
        (tmp_path / name).write_text("theirs\n")

    with pytest.raises(ValueError, match=r"already holds \.gitignore, LICENSE, README\.md, .*--overwrite"):
        run_copy(str(ROOT), tmp_path, defaults=True, quiet=True, vcs_ref="HEAD")
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    run_copy(str(ROOT), tmp_path, defaults=True, quiet=True, vcs_ref="HEAD", overwrite=True)
    assert "make install" in (tmp_path / "README.md").read_text("utf-8")


def test_all_files_at_the_top_of_a_project_are_known(render: Render) -> None:
    known = yaml.safe_load((ROOT / "copier.yml").read_text("utf-8"))["taken"]["default"]

    for answers in ({"profile": "full"}, {"ci": "gitlab"}):
        top = {path.name for path in render(**answers).iterdir() if path.is_file()} - {".copier-answers.yml"}
        assert {name for name in top if f"'{name}'" not in known} == set()


def test_a_template_given_by_a_relative_path_can_be_found_again(clone: Path, tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        run_copy(os.path.relpath(clone), "new", defaults=True, quiet=True, vcs_ref="HEAD")

    answers = yaml.safe_load((tmp_path / "new/.copier-answers.yml").read_text("utf-8"))
    assert answers["_src_path"] == str(clone)


def test_a_folder_that_cannot_work_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="choose another folder"):
        run_copy(str(ROOT), tmp_path / "50%off", defaults=True, quiet=True, vcs_ref="HEAD")

    assert not (tmp_path / "50%off").exists()


@pytest.mark.slow
def test_the_refused_slugs_are_all_that_is_locked(render: Render, tmp_path: Path) -> None:
    # With all options, so that a project may choose each of them later.
    locked: set[str] = set()
    for number, answers in enumerate([{"profile": "full"}, {"database": "sqlite"}]):
        project = Path(shutil.copytree(render(python_version="3.12", **answers), tmp_path / str(number)))
        run(uv(), "lock", "--quiet", cwd=project)
        packages = tomllib.loads((project / "uv.lock").read_text("utf-8"))["package"]
        locked |= {package["name"] for package in packages if package["source"] != {"virtual": "."}}

    module: Any = MACROS.get_template("macros/validation.jinja").module
    assert set(module.dependencies) >= locked


HOSTILE = [("日本語", "yes"), ("🎤", "#!/bin/sh"), ("--", "- a: b"), ("1.0", "null"), ("'", "%s {0} %(x)s")]


@pytest.mark.parametrize(("name", "description"), HOSTILE)
def test_hostile_text_is_refused_or_harmless(name: str, description: str) -> None:
    render_hostile(name, description)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.text(max_size=70), st.text(max_size=110))
def test_any_text_is_refused_or_harmless(name: str, description: str) -> None:
    render_hostile(name, description)


def render_hostile(name: str, description: str) -> None:
    with TemporaryDirectory() as directory:
        project = Path(directory) / "new"
        answers = {"project_name": name, "description": description, "author_name": name}
        try:
            run_copy(str(ROOT), project, data=answers, defaults=True, quiet=True, vcs_ref="HEAD")
        except ValueError as error:
            assert "Validation error for question" in str(error)  # noqa: PT017 (to be refused is one of two good ends)
            assert not project.exists()
            return
        pyproject = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
        assert pyproject["tool"]["app"]["title"] == name
        assert pyproject["project"]["description"] == description
        assert pyproject["project"]["name"]
        assert yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))["project_name"] == name
        assert yaml.safe_load((project / "docker/docker-compose.yml").read_text("utf-8"))["name"]


def test_the_page_of_answers_is_the_one_of_copier_yml() -> None:
    written = answers_page.PAGE.read_text("utf-8")

    assert written == answers_page.page(), "run: python -m scripts.answers_page"
    assert {*re.findall(r"^\| `(\w+)`", written, re.MULTILINE)} == {
        name for kind in choices("kind") for name in questions(kind)
    }


@pytest.mark.parametrize("profile", choices("profile"))
def test_the_page_of_answers_says_what_a_profile_chooses(render: Render, profile: str) -> None:
    page = (ROOT / "docs/answers.md").read_text("utf-8")
    table = [[cell.strip() for cell in line.split("|")] for line in page.split("The profiles:")[1].splitlines()[2:9]]
    column = table[0].index(f"`{profile}`")
    chosen = yaml.safe_load((render(profile=profile) / ".copier-answers.yml").read_text("utf-8"))

    assert len(table) == 7
    for row in table[2:]:
        values = [yaml.safe_load(value) for value in re.findall("`(.+?)`", row[column])]
        answer = chosen[row[1]]
        assert values == (answer if isinstance(answer, list) else [answer])
