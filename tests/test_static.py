"""Every file of the default backend that has a linter passes it, strictly and as rendered."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.new import ROOT
from tests.conftest import Render


def run(*command: str, cwd: Path) -> None:
    process = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr


def test_types_are_strict(render: Render) -> None:
    run(sys.executable, "-m", "mypy", "--python-executable", sys.executable, "--cache-dir=/dev/null", cwd=render())


def test_the_dockerfile_lints(render: Render) -> None:
    run("hadolint", "docker/Dockerfile", cwd=render())


def test_the_compose_file_follows_its_schema(render: Render) -> None:
    run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker/docker-compose.yml", cwd=render())


def workflows(root: Path) -> list[str]:
    return [str(path) for path in sorted((root / ".github/workflows").glob("*.yml"))]


@pytest.mark.parametrize("own", [True, False], ids=["of this repository", "rendered"])
def test_workflows_follow_their_schema_and_are_safe(render: Render, own: bool) -> None:
    root = ROOT if own else render()
    assert workflows(root)
    run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows(root), cwd=root)
    run("zizmor", "--offline", "--pedantic", "--quiet", *workflows(root), cwd=root)
