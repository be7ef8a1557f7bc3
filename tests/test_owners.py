"""Each change that the owner of a project may make requires one edit of its tests, or none."""

import re
from pathlib import Path

import pytest

from scripts.new import ROOT
from tests.conftest import commit, copy, run
from tests.owners import CHANGES

# The only files of the tests that may contain what the owner may change.
PLACES = {"api.py", "errors.py", "user_factory.py"}
LITERALS = re.compile(
    r"""(?<!app)/api/v1\b|["'}]/(users|auth)\b|full_name|["']username["']|\["(errors|detail|status_code)"\]"""
)
# A shipped migration, and a format with names of its own.
OF_OTHERS = ("INSERT INTO users", "payloadUserPwd")


def test_nothing_that_an_owner_may_change_is_said_twice() -> None:
    said = {
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for folder in ("template/tests", "extensions/resource/tests", "extensions/link/tests")
        for path in (ROOT / folder).rglob("*.*")
        if path.suffix in {".py", ".jinja"} and path.name not in PLACES
        for line in path.read_text(encoding="utf-8").splitlines()
        if LITERALS.search(line) and not any(word in line for word in OF_OTHERS)
    }

    assert said == set()


@pytest.fixture(scope="module")
def changed(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a project whose owner has made all of these changes, and then added a resource."""
    project = copy(installed, tmp_path_factory.mktemp("owned") / "backend")
    for change in CHANGES.values():
        change.make(project)
    commit(project)
    fields = "number:str(20)!~ total:decimal(12,2) customer:ref(user)?"
    run("make", "resource", "name=invoice", f"fields={fields}", "access=owner", cwd=project)
    return project


@pytest.mark.slow
def test_all_changes_together_pass_the_checks_of_the_project(changed: Path) -> None:
    run("make", "format", cwd=changed)
    run("make", "lint", cwd=changed)
    run("make", "test", cwd=changed)


@pytest.mark.long
def test_all_changes_together_pass_the_tests_of_faults_and_the_fuzzing(changed: Path) -> None:
    run("make", "test-faults", "test-fuzz", cwd=changed)


@pytest.mark.long
@pytest.mark.parametrize("name", CHANGES)
def test_each_change_by_itself_passes_the_tests_that_see_it(installed: Path, tmp_path: Path, name: str) -> None:
    project = copy(installed, tmp_path / "backend")
    CHANGES[name].make(project)
    tests = [
        f"tests/integration/test_{name}.py" for name in ("access_api", "auth_api", "errors_api", "openapi", "user_api")
    ]
    run("make", "test", f"ARGS=-n auto {' '.join(tests)}", cwd=project)
