"""Renders backends, from the working tree as it is, in an environment that no setting of the machine leaks into."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_copie.plugin import Copie

from scripts.new import ROOT, questions

Render = Callable[..., Path]


# Set by whoever runs us, for us; what is rendered finds its own environment and its own database.
FOREIGN = {"VIRTUAL_ENV", "UV_PROJECT", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "DATABASE_URL", "PYTHONDONTWRITEBYTECODE"}
GIT_CONFIG = "[user]\nname = Test\nemail = test@example.com\n[init]\ndefaultBranch = main\n"


def pytest_configure() -> None:
    for name in list(os.environ):
        if name in FOREIGN or name.startswith(("GIT_", "COPIER_")):
            del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def _own_configuration(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("configuration")
    (directory / "gitconfig").write_text(GIT_CONFIG)
    (directory / "copier.yml").write_text("{}")
    os.environ["GIT_CONFIG_GLOBAL"] = str(directory / "gitconfig")
    os.environ["GIT_CONFIG_NOSYSTEM"] = "1"
    os.environ["COPIER_SETTINGS_PATH"] = str(directory / "copier.yml")


@pytest.fixture(scope="session")
def render(copie_session: Copie) -> Render:
    """Renders once for each set of answers; do not write into what it returns. An unknown answer is an error."""
    rendered: dict[str, Path] = {}

    def render(**answers: str) -> Path:
        assert not answers.keys() - questions(), "an answer that copier.yml does not know"
        key = repr(sorted(answers.items()))
        if key not in rendered:
            result = copie_session.copy(extra_answers=answers)
            assert result.exception is None, result.exception
            assert result.project_dir is not None
            assert answers.items() <= result.answers.items()
            rendered[key] = Path(result.project_dir)
        return rendered[key]

    return render


@pytest.fixture
def project(render: Render, tmp_path: Path) -> Path:
    """A copy of the default backend that a test may change."""
    return Path(shutil.copytree(render(), tmp_path / "project"))


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as a fresh clone would be after a commit of everything that is here."""
    directory = tmp_path_factory.mktemp("clone") / "strata"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, directory / name)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run(["git", *command], cwd=directory, check=True)
    return directory
