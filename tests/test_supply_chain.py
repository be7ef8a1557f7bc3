"""The dependencies of a rendered backend work in their oldest and newest versions, are listed, and are audited."""

import json
import os
import re
import shutil
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Render, run, uv

# A minimum version, and nothing else.
FLOOR = re.compile(r"[a-z0-9-]+(\[[a-z0-9,-]+\])?>=[0-9a-z.]+")


def requirements(project: Path) -> list[str]:
    pyproject = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    return [*pyproject["project"]["dependencies"], *pyproject["dependency-groups"]["dev"]]


@pytest.mark.parametrize("profile", ["minimal", "standard", "full"])
def test_each_dependency_has_a_floor_and_no_ceiling_without_a_reason(render: Render, profile: str) -> None:
    project = render(profile=profile)
    lines = (project / "pyproject.toml").read_text("utf-8").splitlines()

    for requirement in requirements(project):
        [line] = [line for line in lines if f'"{requirement}"' in line]
        assert FLOOR.fullmatch(requirement) or " # " in line, f"say why: {requirement}"


@pytest.fixture
def locked(render: Render, tmp_path: Path) -> Path:
    project = Path(shutil.copytree(render(), tmp_path / "project"))
    run(uv(), "lock", "--quiet", cwd=project)
    return project


# Together, these have every dependency. The second one differs from the first only in its driver.
ALL = {"full": ({"profile": "full"}, ""), "sqlite": ({"profile": "minimal", "database": "sqlite"}, "tests/integration")}


@pytest.mark.slow
@pytest.mark.parametrize(("answers", "tests"), ALL.values(), ids=ALL)
def test_the_lowest_versions_that_it_allows_pass_its_tests(
    render: Render, tmp_path: Path, *, answers: dict[str, str], tests: str, is_whole: bool
) -> None:
    project = Path(shutil.copytree(render(**answers), tmp_path / "project"))
    lowest = {"UV_RESOLUTION": "lowest-direct"}

    run("make", "install", cwd=project, environment=lowest)

    locked = tomllib.loads((project / "uv.lock").read_text("utf-8"))["package"]
    versions = {package["name"]: package["version"] for package in locked}
    for requirement in requirements(project):
        [(name, floor)] = re.findall(r"^([a-z0-9-]+).*>=([^,;]+)", requirement)
        at_least, found = floor.split("."), versions[name].split(".")
        assert found[: len(at_least)] == at_least, "another dependency asks for more: raise the floor"
    output = run("make", "test", f"ARGS=-n 2 {'' if is_whole else tests}", cwd=project, environment=lowest)
    assert " passed" in output
    assert not re.search(r"\d+ (failed|error|skipped)", output)


@pytest.mark.slow
def test_the_list_of_what_is_inside_names_each_locked_package(locked: Path) -> None:
    run("git", "init", "-q", cwd=locked)

    assert "Wrote sbom.json" in run("make", "sbom", cwd=locked)

    listed = json.loads((locked / "sbom.json").read_text("utf-8"))
    assert (listed["bomFormat"], listed["specVersion"]) == ("CycloneDX", "1.5")
    exported = run(uv(), "export", "--quiet", "--no-dev", "--no-hashes", "--format", "requirements.txt", cwd=locked)
    expected = {line.split(";")[0].strip() for line in exported.splitlines() if line[:1].isalpha()}
    assert {f"{component['name']}=={component['version']}" for component in listed["components"]} == expected
    assert not any(package.startswith("pytest==") for package in expected), "the image does not hold it"
    assert "?? sbom.json" not in run("git", "status", "--porcelain", cwd=locked)


class Vulnerabilities(BaseHTTPRequestHandler):
    """Responds as the public database does, which tests must not depend on. `known` has the vulnerable packages."""

    known: set[str] = set()  # noqa: RUF012 (each test has a class of its own)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        found: dict[str, Any] = {"vulns": [{"id": "TEST-1", "modified": "2026-01-01T00:00:00Z"}]}
        self.answer({"results": [found if query["package"]["name"] in self.known else {} for query in asked]})

    def do_GET(self) -> None:
        self.answer({"id": "TEST-1", "modified": "2026-01-01T00:00:00Z", "summary": "made up", "affected": []})

    def answer(self, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yields the address of a database that knows the vulnerable packages of the test's parameter."""
    handler = type("Handler", (Vulnerabilities,), {"known": request.param})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def audit(project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["make", "audit", *arguments],
        cwd=project,
        env=os.environ | {"UV_HTTP_RETRIES": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("database", [set()], indirect=True, ids=["none"])
def test_an_audit_without_findings_passes(locked: Path, database: str) -> None:
    process = audit(locked, f"ARGS=--service-url={database}")

    assert process.returncode == 0, process.stderr
    assert "Found no known vulnerabilities" in process.stderr


@pytest.mark.slow
@pytest.mark.parametrize("database", [{"starlette"}], indirect=True, ids=["of an indirect dependency"])
def test_an_audit_names_what_is_vulnerable_and_fails(locked: Path, database: str) -> None:
    process = audit(locked, f"ARGS=--service-url={database}")

    assert process.returncode != 0
    assert re.search(r"^starlette \S+ has 1 known vulnerability", process.stdout, re.MULTILINE)
    assert "TEST-1: made up" in process.stdout
    assert "Nothing was audited" not in process.stderr


@pytest.mark.slow
def test_an_audit_without_a_network_says_so_and_fails(locked: Path) -> None:
    process = audit(locked, "ARGS=--service-url=http://127.0.0.1:9")

    assert process.returncode != 0
    assert "Nothing was audited" in process.stderr
