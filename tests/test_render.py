"""Every variant is complete and clean as rendered."""

import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.conftest import Render, commit, run
from tests.variants import VARIANTS, Answers, choices

EMPTY_ON_PURPOSE = {"__init__.py", "py.typed"}
LICENSE_BEGINNINGS = {
    "MIT": "MIT License",
    "Apache-2.0": "Apache License",
    "BSD-3-Clause": "BSD 3-Clause License",
    "GPL-3.0-or-later": "GNU GENERAL PUBLIC LICENSE",
}


class ComposeLoader(yaml.SafeLoader):
    """Loads the tag `!reset`, by which one Compose file removes a value of another."""


ComposeLoader.add_constructor("!reset", lambda *_: None)


def files(project: Path) -> Iterator[Path]:
    return (path for path in sorted(project.rglob("*")) if path.is_file() and path.parent.name != "__pycache__")


def contents(project: Path) -> dict[str, bytes]:
    """Returns the content of the files, without the commit, which differs for each render of a dirty tree."""
    return {
        str(path.relative_to(project)): re.sub(rb"^_commit: .*$", b"", path.read_bytes(), flags=re.MULTILINE)
        for path in files(project)
    }


@pytest.fixture(params=list(VARIANTS.values()), ids=list(VARIANTS))
def variant(request: pytest.FixtureRequest, render: Render) -> Path:
    answers: Answers = request.param
    return render(**answers)


def test_no_file_is_empty_or_lacks_its_last_newline(variant: Path) -> None:
    for path in files(variant):
        text = path.read_text(encoding="utf-8")
        assert text.endswith("\n") or (not text and path.name in EMPTY_ON_PURPOSE), path


def test_no_jinja_is_left(variant: Path) -> None:
    leftover = re.compile(r"(?<!\$)\{\{|\{%|\{#")
    for path in files(variant):
        # These are templates of the project itself, for its e-mails.
        assert path.suffix == ".j2" or not leftover.search(path.read_text(encoding="utf-8")), path
        assert path.suffix != ".jinja"
        assert "{" not in str(path.relative_to(variant))


def test_every_file_of_data_parses(variant: Path) -> None:
    parsers: dict[str, Callable[[str], object]] = {
        ".toml": tomllib.loads,
        ".yml": partial(yaml.load, Loader=ComposeLoader),
        ".yaml": partial(yaml.load, Loader=ComposeLoader),
    }
    parsed = [parsers[path.suffix](path.read_text("utf-8")) for path in files(variant) if path.suffix in parsers]
    assert all(parsed)


def test_python_is_formatted_and_lints_as_rendered(variant: Path) -> None:
    for check in (["check"], ["format", "--check"]):
        ruff = subprocess.run(
            ["ruff", *check, "--no-cache", "."], cwd=variant, capture_output=True, text=True, check=False
        )
        assert ruff.returncode == 0, ruff.stdout


@pytest.mark.parametrize("name", ["long", "short", "unicode", "yaml-words"])
def test_answers_arrive_as_they_were_given(render: Render, name: str) -> None:
    answers = VARIANTS[name]
    project = render(**answers)
    pyproject = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))

    assert pyproject["tool"]["app"]["title"] == answers["project_name"]
    assert pyproject["project"]["description"] == answers["description"]
    assert pyproject["project"]["authors"][0]["name"] == answers["author_name"]
    assert pyproject["project"]["authors"][0].get("email") == answers.get("author_email")
    recorded = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    assert recorded | answers == recorded


@pytest.mark.parametrize("license_name", choices("license"))
def test_the_license_is_the_one_that_was_chosen(render: Render, license_name: str) -> None:
    project = render(license=license_name)
    metadata = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]

    if license_name == "none":
        assert not (project / "LICENSE").exists()
        assert "license" not in metadata
    else:
        assert (project / "LICENSE").read_text("utf-8").lstrip().startswith(LICENSE_BEGINNINGS[license_name])
        assert metadata["license"] == license_name


def test_the_copyright_holder_is_the_author(render: Render) -> None:
    assert "Copyright (c) O'Brien, 日本\n" in (render(**VARIANTS["unicode"]) / "LICENSE").read_text("utf-8")


@pytest.mark.parametrize("version", choices("python_version"))
def test_the_python_version_is_the_same_everywhere(render: Render, version: str) -> None:
    project = render(python_version=version)

    metadata = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    assert metadata["requires-python"] == f">={version}"
    assert (project / ".python-version").read_text("utf-8") == f"{version}\n"
    images = re.findall(r"FROM python:(\S+)-slim", (project / "docker/Dockerfile").read_text("utf-8"))
    assert [image.rpartition(".")[0] for image in images] == [version]


def test_lines_end_as_containers_need_it_whatever_git_is_set_to(project: Path, tmp_path: Path) -> None:
    run("git", "init", "-q", cwd=project)
    commit(project)
    clone = tmp_path / "clone"
    run("git", "-c", "core.autocrlf=true", "clone", "-q", str(project), str(clone), cwd=tmp_path)

    assert [path for path in files(clone) if ".git" not in path.parts and b"\r\n" in path.read_bytes()] == []


def test_rendering_twice_is_identical(render: Render) -> None:
    # These answers mean the same, but are rendered separately.
    assert contents(render()) == contents(render(license="MIT"))
