"""The code in `docs/outbox.md` of a rendered project works exactly as written."""

import re
from pathlib import Path

import pytest

from scripts.new import ROOT
from tests.conftest import Install, copy, run

pytestmark = pytest.mark.slow

PAGE = ROOT / "template/docs/outbox.md"


@pytest.mark.parametrize("database", ["postgresql", "sqlite"])
def test_a_message_of_ones_own_is_written_as_the_page_says(database: str, install: Install, tmp_path: Path) -> None:
    project = copy(install(database=database), tmp_path / "backend")
    run("git", "init", "-q", cwd=project)
    message, service, handler, test = blocks("python")
    for module in (message, handler, test):
        name, _, text = module.removeprefix("# ").partition("\n")
        (project / name).write_text(text, encoding="utf-8")
    write_into_service(project / "app/service/user_service.py", service)

    run("make", "format", cwd=project)
    run("make", "lint", cwd=project)
    tests = "tests/integration/test_user_created.py tests/unit/test_user_service.py tests/unit/test_architecture.py"
    run("make", "test", f"ARGS={tests}", cwd=project)


def test_the_commands_of_the_page_can_be_typed(install: Install, tmp_path: Path) -> None:
    project = copy(install(database="sqlite"), tmp_path / "backend")
    run("make", "migrate-up", cwd=project)
    (typed,) = blocks("sh")
    said = [run(*line.split("#")[0].split(), cwd=project) for line in typed.splitlines()]

    assert "waiting  0" in said[0]
    assert "Messages to retry: 0." in said[1]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def write_into_service(file: Path, lines: str) -> None:
    """Replaces the one line that creates a user by these lines."""
    created, *_ = lines.splitlines()
    text = file.read_text(encoding="utf-8")
    old = f"        {created}\n"
    assert text.count(old) == 1
    text = text.replace(old, "".join(f"        {line}\n" for line in lines.splitlines()))
    imported = "from app.domain.messages.user_created import UserCreated\n"
    file.write_text(text.replace("from app.domain.models", f"{imported}from app.domain.models", 1), encoding="utf-8")
