"""A resource that is nested under another one changes with it, and cannot be open to more people."""

from pathlib import Path

import pytest

from tests.conftest import commit, copy, run
from tests.releases import conflicts, edit

pytestmark = pytest.mark.slow

TIGHTENED = """
from uuid import uuid4

from app.domain.models.user import Role
from tests.conftest import SignIn


async def test_only_administrators_find_the_lines_of_an_invoice(sign_in: SignIn) -> None:
    user = await sign_in(Role.USER)

    assert (await user.get(f"/invoices/{uuid4()}/lines")).status_code == 403
"""


def test_a_nested_resource_changes_with_its_parent(installed: Path, tmp_path: Path) -> None:
    project = copy(installed, tmp_path / "backend")

    def make(name: str, *arguments: str, target: str = "resource", status: int = 0) -> str:
        return run("make", target, f"name={name}", *arguments, cwd=project, status=status)

    make("invoice", "fields=number:str(20)!")
    commit(project)
    make("line_item", "fields=position:int", "parent=invoice")
    commit(project)
    assert "The line_item is itself nested under the invoice" in make(
        "line", "fields=a:int", "parent=line_item", status=2
    )
    assert run("git", "status", "--porcelain", cwd=project) == ""

    make("line", "fields=position:int text:str(50)", "parent=invoice", "unique=invoice+position")
    commit(project)
    assert "The line cannot be open to more people than the invoice" in make("invoice", "access=admin", status=2)
    make("line", "rename=text:words", "add=price:int?", "access=admin")
    assert conflicts(project) == []
    commit(project)
    make("line_item", "yes=1", target="resource-remove")
    commit(project)

    make("invoice", "access=admin")

    commit(project)
    assert "The line cannot be open to more people" in make("line", "access=signed-in", status=2)
    assert "\n  parent: invoice\n" in run("make", "resources", cwd=project)
    run("make", "test", "ARGS=tests/integration/test_line_api.py", cwd=project)
    assert "invoice is still in use" in make("invoice", "yes=1", target="resource-remove", status=2)
    make("line", "yes=1", target="resource-remove")


def test_nested_paths_obey_what_the_parents_router_demands(installed: Path, tmp_path: Path) -> None:
    project = copy(installed, tmp_path / "backend")
    run("make", "resource", "name=invoice", "fields=number:str(20)!", cwd=project)
    run("make", "resource", "name=line", "fields=position:int", "parent=invoice", cwd=project)
    router = "app/api/v1/invoice_router.py"
    edit(project, router, "get_current_user\n", "require\nfrom app.domain.models.user import Role\n")
    edit(project, router, "[Depends(get_current_user)]", "[Depends(require(Role.ADMIN))]")
    (project / "tests/integration/test_tightened.py").write_text(TIGHTENED)

    run("make", "test", "ARGS=-k only_administrators_find", cwd=project)

    edit(project, "app/api/v1/line_router.py", "*PARENTS.dependencies, ", "")
    run("make", "test", "ARGS=-k only_administrators_find", cwd=project, status=2)


def test_only_a_nested_resource_is_adopted_with_its_parent(installed: Path, tmp_path: Path) -> None:
    project = copy(installed, tmp_path / "backend")
    run("make", "resource", "name=invoice", "fields=number:str(20)!", cwd=project)
    for name, parent in (("line", "invoice"), ("note", "")):
        run("make", "resource", f"name={name}", "fields=position:int", f"parent={parent}", cwd=project)
        (project / f".copier/{name}.yml").unlink()
    commit(project)
    arguments = ("fields=position:int", "parent=invoice")

    refused = run("make", "resource-adopt", "name=note", *arguments, cwd=project, status=2)
    run("make", "resource-adopt", "name=line", *arguments, cwd=project)

    assert "The table notes has no column invoice_id" in refused
    assert run("git", "status", "--porcelain", cwd=project) == "?? .copier/line.yml\n"
