"""References, lists of them and lists under them come, change and go with their resources, and refusals say why."""

import re
from pathlib import Path

import pytest

from tests.conftest import commit, copy, run
from tests.releases import conflicts
from tests.resources import make, refusals

pytestmark = pytest.mark.slow

SCHEMAS = "app/domain/schemas/invoice.py"


def test_what_can_be_expanded_follows_the_references(installed: Path, tmp_path: Path) -> None:
    project = copy(installed, tmp_path / "backend")

    def resource(*arguments: str, status: int = 0) -> str:
        return run("make", "resource", "name=invoice", *arguments, cwd=project, status=status)

    resource("fields=number:str(20)! total:int customer:ref(user)")
    commit(project)
    assert "'total' in expand= is not a reference" in resource("expand=total", status=2)

    resource("expand=customer")

    assert conflicts(project) == []
    assert "\n    customer: Expanded[UserSummary] = MISSING\n" in (project / SCHEMAS).read_text("utf-8")
    commit(project)
    assert "expand= names 'customer', which changes" in resource("drop=customer", "yes=1", status=2)
    resource("rename=customer:client")
    assert "\n    client: Expanded[UserSummary] = MISSING\n" in (project / SCHEMAS).read_text("utf-8")
    commit(project)
    assert "\n  expand: client\n" in run("make", "resources", cwd=project)
    run("make", "test", "ARGS=tests/integration/test_invoice_api.py -k Expand", cwd=project)
    resource("expand=none")
    assert "UserSummary" not in (project / SCHEMAS).read_text("utf-8")


def test_a_list_of_references_comes_and_goes_with_its_table(installed: Path, tmp_path: Path) -> None:
    project = copy(installed, tmp_path / "backend")

    def resource(*arguments: str, status: int = 0) -> str:
        return run("make", "resource", *arguments, cwd=project, status=status)

    resource("name=tag", "fields=name:str(20)!", "access=public")
    resource("name=invoice", "fields=number:str(20)! total:int", "access=owner")
    commit(project)

    said = resource("name=invoice", "add=tags:refs(tag) people:refs(user)", "expand=tags people")

    (migration,) = re.findall(r"^ *(alembic/versions/.*)$", said, re.MULTILINE)
    upgrade, downgrade = (project / migration).read_text("utf-8").split("def downgrade")
    assert upgrade.index('op.create_table(\n        "invoice_people"') < upgrade.index('"invoice_tags"')
    assert downgrade.index('drop_table("invoice_tags")') < downgrade.index('drop_table("invoice_people")')
    assert conflicts(project) == []
    commit(project)
    run("make", "lint", cwd=project)
    run("make", "test", "ARGS=-n 2 -k 'invoice or migrations or openapi or architecture'", cwd=project)

    refused = "The list 'tags' has a table of its own, which cannot change"
    assert refused in resource("name=invoice", "rename=tags:labels", status=2)
    others = "number:str(20)! total:int tags:refs(user) people:refs(user)"
    assert refused in resource("name=invoice", f"fields={others}", status=2)
    lost = "This deletes invoice_id, tag_id of invoice_tags"
    assert lost in resource("name=invoice", "drop=tags", "expand=none", status=2)
    assert ".copier/invoice.yml" in run("make", "resource-remove", "name=tag", "yes=1", cwd=project, status=2)
    resource("name=invoice", "drop=tags people", "expand=none", "yes=1")
    run("git", "diff", "--exit-code", "HEAD~1", "--", "app", "tests", ".copier/invoice.yml", cwd=project)
    commit(project)
    run("make", "test", "ARGS=-k migrations", cwd=project)
    run("make", "resource-remove", "name=tag", "yes=1", cwd=project)


def test_a_resource_is_made_adopted_and_removed_with_its_lists(installed: Path, tmp_path: Path) -> None:
    project = copy(installed, tmp_path / "backend")
    run("make", "resource", "name=zone", "fields=name:str(20)!", cwd=project)

    area = ("name=area", "fields=name:str(20)! zones:refs(zone)")
    assert "_add_areas.py" in run("make", "resource", *area, cwd=project)
    record = project / ".copier/area.yml"
    before = record.read_text("utf-8")
    record.unlink()
    commit(project)
    run("make", "resource-adopt", *area, cwd=project)
    assert record.read_text("utf-8") == before
    commit(project)
    run("make", "resource-remove", "name=area", "yes=1", cwd=project)
    run("make", "test", "ARGS=-k migrations", cwd=project)


def test_a_list_under_a_reference_needs_a_free_path_and_a_record(clone: Path, installed: Path, tmp_path: Path) -> None:
    project = copy(installed, tmp_path / "backend")
    made = [
        ["name=shop", "fields=name:str(50)", "key=slug"],
        ["name=likes", "between=user shop"],
        ["name=like", "fields=a:int shop:ref(shop)?"],
    ]
    make(project, made)
    commit(project)

    (taken,) = refusals(project, [["name=like", "add=second:ref(shop)?/"]])
    (project / ".copier/shop.yml").unlink()
    commit(project)
    (unknown,) = refusals(project, [["name=visit", "fields=a:int shop:ref(shop)/"]])

    assert "likes has the path that like would get" in taken
    assert "ref(shop)/ needs a resource with a record in .copier" in unknown
    assert run("git", "status", "--porcelain", cwd=project) == ""
    data = ("-d", "kind=resource", "-d", "resource=visit", "-d", "fields=a:int maker:ref(user)/")
    refused = run("copier", "copy", "--defaults", "-r", "HEAD", *data, str(clone), ".", cwd=project, status=1)
    assert "A field with / needs what make resource knows of the project" in refused
