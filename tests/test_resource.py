"""`make resource` adds correct code, and changes nothing when it refuses."""

import json
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.new import ROOT
from tests.conftest import commit, copy, run
from tests.lives import drawn
from tests.resources import Resource, macro, refusals

pytestmark = pytest.mark.slow

# These cover every type, suffix and kind of access, key and parent. Each one refers to the one before it.
RESOURCES = [
    Resource("category", "name:str(50)!^~ parent:ref(category)? rank:int=0", "public"),
    Resource(
        "order_item",
        "title:str(5)! note:text~=hello big:bigint!^ ratio:float? price:decimal(5,0)! rate:decimal(4,3)^=0.5 "
        "active:bool^=true day:date! at:datetime!^ key:uuid! data:json mail:email!~ link:url!~? level:enum(low,high) "
        "category:ref(category)! buyer:ref(user)? due:datetime? color:enum(red,green)=red",
        "owner",
    ),
    Resource("bus", "plate:str(2)! item:ref(order_item) seats:int^?", "admin"),
    Resource("person", "name:str(100)~ bus:ref(bus)?"),
    Resource("trip", "to:str(100)^~ bus:ref(bus)?", "public-owner", key="slug"),
    Resource("stop", "name:str(50)!", "public", key="slug", parent="trip"),
    Resource("mark", "text:str(50) trip:ref(trip)?", "owner", parent="order_item"),
]


@pytest.fixture
def project(installed: Path, tmp_path: Path) -> Path:
    return copy(installed, tmp_path / "backend")


def changes(project: Path) -> list[str]:
    return run("git", "status", "--porcelain", "--untracked-files=all", cwd=project).splitlines()


def add(
    project: Path,
    name: str,
    fields: str,
    access: str = "signed-in",
    *,
    key: str = "id",
    parent: str = "",
    status: int = 0,
) -> str:
    arguments = (f"name={name}", f"fields={fields}", f"access={access}", f"key={key}", f"parent={parent}")
    return run("make", "resource", *arguments, cwd=project, status=status)


def add_all(project: Path) -> None:
    """Adds all of them. test_pipelines.py runs the project's own check with them."""
    for each in RESOURCES:
        output = add(project, each.name, each.fields, each.access, key=each.key, parent=each.parent)
        assert output.startswith(f"Added {each.name}:\n")
        assert all(f"    {line.removeprefix('?? ')}\n" in output for line in changes(project))
        commit(project)


def test_a_resource_is_seen_before_it_is_written(project: Path) -> None:
    output = run("make", "resource", "name=invoice", "fields=number:str(20)!", "DRY=1", cwd=project)

    assert "app/api/v1/invoice_router.py" in output
    assert changes(project) == []


EXAMPLE = """
import json
from uuid import UUID

from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from tests.factories.user_factory import create_user

SENT, ANSWERED = json.loads({sent!r}), json.loads({answered!r})
OF_THE_MOMENT = {{"id", "created_at", "updated_at"}}


async def test_the_example(admin: AsyncClient, session: AsyncSession) -> None:
    await create_user(session, id=UUID(SENT["customer_id"]))

    response = await admin.post("/invoices", json=SENT)

    assert response.status_code == 201
    assert list(response.json()) == list(ANSWERED)
    assert {{k: v for k, v in response.json().items() if k not in OF_THE_MOMENT}} == {{
        k: v for k, v in ANSWERED.items() if k not in OF_THE_MOMENT
    }}
    assert (await admin.post("/invoices", json=SENT)).status_code == 409
    assert (await admin.post("/invoices", json=SENT | {{"number": "2", "total": "1.234"}})).status_code == 422
    page = await admin.get("/invoices", params={{"search": "2026", "sort_by": "due", "limit": 10}})
    assert page.json()["items"] == [response.json()]
"""


def test_the_example_of_the_documentation_answers_as_it_says(project: Path) -> None:
    page = (ROOT / "docs/resources.md").read_text("utf-8")
    command = re.findall(r"^make resource name=invoice fields='([^']*)'$", page, re.MULTILINE)[0]
    sent, answered = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    add(project, "invoice", command)
    (project / "tests/integration/test_example.py").write_text(EXAMPLE.format(sent=sent, answered=answered))

    run("make", "test", "ARGS=-k example", cwd=project)


def test_a_resource_goes_as_it_came(project: Path) -> None:
    add(project, "invoice", "number:str(20)! customer:ref(user)")
    files = [line.removeprefix("?? ") for line in changes(project)]
    run("make", "migrate-up", cwd=project)

    run("make", "migrate-down", cwd=project)
    for file in files:
        (project / file).unlink()

    assert changes(project) == []
    assert "0008 (head) (current)" in run("make", "migrate-history", cwd=project)
    run("make", "test", "ARGS=-k migrations", cwd=project)


def test_its_files_come_back_when_they_are_named(project: Path) -> None:
    add(project, "invoice", "number:str(20)!")
    router, service = (project / f"app/{name}" for name in ("api/v1/invoice_router.py", "service/invoice_service.py"))
    made = router.read_bytes()
    router.unlink()
    service.write_text("# ours\n")
    commit(project)

    untouched = run("make", "template-heal", cwd=project)
    said = run("make", "template-heal", "path=app/api/v1/invoice_router.py", cwd=project)

    assert untouched.startswith("Each of these files is as ")
    assert "+++ app/api/v1/invoice_router.py\n" in said
    assert router.read_bytes() == made
    assert changes(project) == ["?? app/api/v1/invoice_router.py"]
    assert service.read_text() == "# ours\n"


def test_an_update_that_changes_nothing_of_it_leaves_it_alone(clone: Path, project: Path, tmp_path: Path) -> None:
    template = Path(shutil.copytree(clone, tmp_path / "template"))
    answers = project / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(str(clone), str(template)))
    add(project, "invoice", "number:str(20)!")
    commit(project)
    with (template / "template/AGENTS.md").open("a") as file:
        file.write("- One more rule.\n")
    commit(template)

    run("make", "update", cwd=project)

    assert {line[3:] for line in changes(project)} == {
        ".copier-answers.yml",
        ".copier/invoice.yml",
        "AGENTS.md",
    }
    add(project, "receipt", "number:str(20)!")


def test_plain_copier_adds_the_same_but_for_the_migration(clone: Path, project: Path) -> None:
    arguments = ["-d", "kind=resource", "-d", "resource=invoice", "-d", "fields=number:str(20)! due:date?"]
    run("copier", "copy", "--defaults", *arguments, str(clone), ".", cwd=project)
    plain = {path: (project / path).read_bytes() for path in (line[3:] for line in changes(project))}
    run("make", "migrate-create", "name=add_invoices", cwd=project)
    run("git", "clean", "-fdq", ".copier", "app", "tests", "alembic", cwd=project)

    add(project, "invoice", "number:str(20)! due:date?")

    assert plain == {path: (project / path).read_bytes() for path in plain}


REFUSED = [
    ("invoice", "number:string", "unknown type 'string'"),
    ("invoice", "number", "is not a field"),
    ("invoice", "number: str(20)", "is not a field"),
    ("invoice", "number:str", "must look like str(100)"),
    ("invoice", "number:str(0)", "must look like str(100)"),
    ("invoice", "number:str(20)!!", "same suffix twice"),
    ("invoice", "number:str(601)!", "at most 600 characters"),
    ("invoice", "number:str(2)=abc", "longer than 2 characters"),
    ("invoice", "number:str(20)=:a", "does not fit its type"),
    ("invoice", "total:decimal(16,2)", "at most 15 digits"),
    ("invoice", "total:decimal(2,2)", "before the point"),
    ("invoice", "total:decimal(3,2)=10", "too many digits"),
    ("invoice", "data:json!", "cannot have !"),
    ("invoice", "data:json=x", "takes none"),
    ("invoice", "done:bool=yes", "does not fit its type"),
    ("invoice", "done:bool=true^", "does not fit its type"),
    ("invoice", "status:enum(a,b)=c", "is none of a, b"),
    ("invoice", "status:enum(a,a)", "same choice twice"),
    ("invoice", "class:int", "cannot be called 'class'"),
    ("invoice", "id:int", "cannot be called 'id'"),
    ("invoice", "version:int", "cannot be called 'version'"),
    ("invoice", "model_config:int", "cannot be called 'model_config'"),
    ("invoice", "a:int a:int", "is given twice"),
    ("invoice", "user:ref(user) user_id:uuid", "is given twice"),
    ("invoice", "user_id:uuid user:ref(user)", "would also be called user_id, as another field is"),
    ("invoice", "customer:ref(customer)", "no resource 'customer'"),
    ("invoice", "customer_id:ref(user)", "leave _id out"),
    ("invoice", "parent:ref(invoice)", "make it optional"),
    ("invoice", "", "Give the fields as name:type"),
    ("invoice", "number:int=$(id)", "does not fit its type"),
    ("", "number:int", "Name a resource after one thing"),
    ("Invoice", "number:int", "Name a resource after one thing"),
    ("../invoice", "number:int", "Name a resource after one thing"),
    ("i" * 25, "number:int", "at most 24 characters"),
    ("class", "number:int", "the name is reserved"),
    ("user", "number:int", "This project already has files for user"),
    ("auth", "number:int", "the name is reserved"),
    ("refresh_token", "number:int", "This project already has files for"),
    ("page", "number:int", "the name is reserved"),
]


def test_alone_it_says_what_it_takes(project: Path) -> None:
    said = run("make", "resource", cwd=project, status=2)

    taken = {name.removesuffix("=").lower() for name in re.findall(r"^(\w+=)", said, re.MULTILINE)}
    asked = set(re.findall(r"RESOURCE_(\w+) = ", (project / "Makefile").read_text("utf-8")))
    assert {name.lower() for name in asked} == taken - {"dry"} | {"name", "fields", "add", "rename", "drop", "yes"}


def test_what_is_refused_gets_one_sentence_and_writes_nothing(project: Path) -> None:
    refused = refusals(project, [[f"name={name}", f"fields={fields}"] for name, fields, _ in REFUSED])

    for said, (name, fields, sentence) in zip(refused, REFUSED, strict=True):
        assert sentence in said, (name, fields)
        assert "\n" not in said
        assert said.endswith((".", "?", "?.", "'."))
    assert "Invalid choice for 'access'" in add(project, "invoice", "number:int", "nobody", status=2)
    assert "Invalid choice for 'key'" in add(project, "invoice", "number:int", key="number", status=2)
    for fields, access, sentence in (
        ("slug:str(9)", "admin", "The field 'slug' exists already"),
        ("number:int title:str(9)? notes:text", "admin", "the first field of type str that is required"),
        ("title:str(9)", "owner", "choose another access than owner"),
    ):
        assert sentence in add(project, "invoice", fields, access, key="slug", status=2)
    assert changes(project) == []


def test_what_is_there_is_never_overwritten(project: Path) -> None:
    add(project, "invoice", "number:str(20)!")
    before = changes(project)

    assert "changes that are not committed" in add(project, "invoice", "number:int", status=2)
    (project / "app/service/receipt_service.py").write_text("# Mine.\n")
    assert "This project already has files for receipt" in add(project, "receipt", "number:int", status=2)

    assert [*before, "?? app/service/receipt_service.py"] == sorted(
        changes(project), key=lambda line: "receipt" in line
    )


def test_two_resources_with_one_plural_are_refused(project: Path) -> None:
    add(project, "data", "name:str(9)")
    before = changes(project)

    assert "data has the path that datum would get" in add(project, "datum", "name:str(9)", status=2)
    assert changes(project) == before

    (project / ".copier/data.yml").unlink()
    before = changes(project)
    assert "do not fit together: Table 'data' is already defined" in add(project, "datum", "name:str(9)", status=2)
    assert changes(project) == before


def test_two_newest_migrations_are_refused(project: Path) -> None:
    newest = (project / "alembic/versions/0008_verified_addresses.py").read_text()
    (project / "alembic/versions/0009_other.py").write_text(newest.replace('"0008"', '"0009"'))
    before = changes(project)

    assert "make migrate-merge" in add(project, "invoice", "number:int", status=2)
    assert changes(project) == before


def test_another_version_and_another_place_are_refused(clone: Path, project: Path, tmp_path: Path) -> None:
    template = Path(shutil.copytree(clone, tmp_path / "template"))
    (template / "CHANGELOG.md").write_text("# Newer\n")
    commit(template)
    command = ["copier", "copy", "--defaults", "-d", "kind=resource", "-d", "resource=invoice", "-d", "fields=a:int"]

    newer = run(*command, str(template), ".", cwd=project, status=1)
    elsewhere = run(*command, str(clone), str(tmp_path / "empty"), cwd=project, status=1)

    assert "run `make update` first" in newer.splitlines()[-1]
    assert "holds no rendered project" in elsewhere.splitlines()[-1]
    assert changes(project) == []
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize(
    ("one", "several"),
    [
        ("invoice", "invoices"),
        ("category", "categories"),
        ("day", "days"),
        ("person", "people"),
        ("sales_person", "sales_people"),
        ("bus", "buses"),
        ("status", "statuses"),
        ("movie", "movies"),
        ("cookie", "cookies"),
        ("tie", "ties"),
        ("cache", "caches"),
        ("alias", "aliases"),
        ("house", "houses"),
        ("cause", "causes"),
        ("case", "cases"),
        ("class", "classes"),
        ("staff", "staff"),
        ("box", "boxes"),
        ("branch", "branches"),
        ("analysis", "analyses"),
        ("quiz", "quizzes"),
        ("knife", "knives"),
        ("potato", "potatoes"),
        ("photo", "photos"),
        ("address", "addresses"),
        ("order_item", "order_items"),
    ],
)
def test_the_plural_and_the_singular_are_right(one: str, several: str) -> None:
    assert macro("naming", "plural_of")(one) == several
    assert macro("naming", "singular_of")(several) == one


@pytest.mark.parametrize(
    ("field", "key"),
    [("tags:refs(tag)", "tag_id"), ("niches:refs(niche)", "niche_id"), ("main_lenses:refs(lens)", "main_lens_id")],
)
def test_a_list_is_called_after_what_it_refers_to(field: str, key: str) -> None:
    (parsed,) = json.loads(macro("fields", "parse_lists")(field, "thing"))

    assert (parsed["key"], parsed["ids"]) == (key, f"{key}s")


def test_a_word_may_be_a_singular_and_a_plural() -> None:
    assert macro("naming", "plural_of")("data") == "data"


def test_a_plural_can_be_chosen(project: Path) -> None:
    run("make", "resource", "name=corpus", "fields=name:str(9)", "plural=corpora", cwd=project)

    assert 'prefix="/corpora"' in (project / "app/api/v1/corpus_router.py").read_text()


@given(st.text(alphabet="abz_019:()!?^~=,. $'\"\\{}%\n", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_list_of_fields_or_a_sentence(text: str) -> None:
    fault = macro("fields", "fields_fault")(text, "thing", "owner", "/nowhere")

    assert fault.strip() == fault
    assert fault == "" or fault.endswith((".", "'."))


def test_whatever_is_accepted_lints_migrates_and_passes_its_tests(project: Path, *, is_whole: bool) -> None:
    for resource in (life.start for life in drawn(3, 8)):
        add(project, resource.name, resource.fields, resource.access)

    run("make", "lint", cwd=project)
    core = "-k 'thing or unit or openapi or migrations or cost'"
    run("make", "test", f"ARGS=-n 2 {'' if is_whole else core}", cwd=project)
