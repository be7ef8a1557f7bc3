"""The recipes of a rendered project (`docs/recipes.md`) work. `test_owners.py` tests those that change code."""

from pathlib import Path

import pytest

from tests.conftest import IN_PROCESS, copy, run
from tests.recipes import PAGE, commands, recipe

pytestmark = pytest.mark.slow

ADDED = ("A route of your own", "A view of your own", "Another filter of a list", "Another column for users")
COLUMN = "Another column for users"

# What must be true once the recipes were followed.
EXPECTED = """
from httpx2 import AsyncClient

from tests.api import ME, USERS


async def test_what_was_added_works(admin: AsyncClient) -> None:
    assert set((await admin.get("/about")).json()) == {"version"}

    assert [(await admin.get(f"{USERS}?is_new={new}")).json()["total"] for new in ("true", "false")] == [1, 0]

    path = f"{USERS}/{(await admin.get(ME)).json()['id']}"
    changed = await admin.patch(path, json={"phone": "+4930123456"})
    assert changed.json()["phone"] == "+4930123456"
    assert (await admin.patch(path, json={"phone": "none"})).status_code == 422
"""


def test_what_they_add_works_and_passes_the_checks(installed: Path, tmp_path: Path) -> None:
    project = copy(installed, tmp_path / "backend")
    for title in ADDED:
        for edit in recipe(title):
            edit.make(project)
    (project / "tests/integration/test_added.py").write_text(EXPECTED)

    for command in commands(COLUMN):
        run(*command.split(), cwd=project)

    run("make", "format", cwd=project)
    run("make", "lint", cwd=project)
    run("make", "test", f"ARGS={IN_PROCESS}", cwd=project)


def test_each_recipe_is_followed_by_a_test() -> None:
    titles = [line.removeprefix("## ") for line in PAGE.read_text().splitlines() if line.startswith("## ")]

    assert titles == [*ADDED, "Another form of errors", "Signing in by JSON"]
