"""A resource changes with the project: its fields, access and table follow, and the project's own edits stay."""

import json
import re
from pathlib import Path

import pexpect
import pytest

from tests.conftest import Install, commit, copy, run
from tests.releases import conflicts, contents, edit
from tests.resources import refusals

pytestmark = pytest.mark.slow

FIELDS = "number:str(20)!~ total:decimal(12,2) status:enum(draft,sent)=draft due:date?^ customer:ref(user) notes:text?"
MODEL, SCHEMAS = "app/domain/models/invoice.py", "app/domain/schemas/invoice.py"
SERVICE, REPOSITORY = "app/service/invoice_service.py", "app/repository/invoice_repository.py"
METHOD = """
    async def send(self, invoice_id: UUID) -> Invoice:
        return await self.get(invoice_id)
"""
DOCSTRING = 'class InvoiceCreate(RequestModel):\n    """Ours: what a customer owes."""\n\n'


@pytest.fixture(scope="module")
def invoiced(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a project with invoices, whose service and schemas it changed."""
    project = copy(installed, tmp_path_factory.mktemp("invoiced") / "backend")
    make(project, f"fields={FIELDS}")
    commit(project)
    with (project / SERVICE).open("a") as file:
        file.write(METHOD)
    edit(project, SCHEMAS, "class InvoiceCreate(RequestModel):\n", DOCSTRING)
    commit(project)
    return project


@pytest.fixture
def project(invoiced: Path, tmp_path: Path) -> Path:
    return copy(invoiced, tmp_path / "backend")


def make(project: Path, *arguments: str, target: str = "resource", status: int = 0) -> str:
    return run("make", target, "name=invoice", *arguments, cwd=project, status=status)


def changes(project: Path) -> list[str]:
    return [line[3:] for line in run("git", "status", "--porcelain", "-uall", cwd=project).splitlines()]


def test_a_changed_resource_is_as_if_it_had_been_made_so_and_keeps_what_was_written_into_it(
    project: Path, installed: Path, tmp_path: Path
) -> None:
    said = make(
        project, "add=paid_at:datetime?^ note:text?", "drop=notes", "rename=due:due_on", "access=admin", "yes=1"
    )

    fields = f"{FIELDS.replace('due:', 'due_on:').removesuffix(' notes:text?')} paid_at:datetime?^ note:text?"
    expected = copy(installed, tmp_path / "expected")
    make(expected, f"fields={fields}", "access=admin")
    for name in contents(expected):
        if "invoice" in name and "alembic" not in name:
            text = (expected / name).read_text()
            text = text + METHOD if name == SERVICE else text
            assert (project / name).read_text() == text.replace("class InvoiceCreate(RequestModel):\n", DOCSTRING), name
    (migration,) = [name for name in changes(project) if "alembic" in name]
    assert f"    {migration}\n" in said
    assert said.endswith(
        "There are no conflicts: look at `git diff`. Next: make migrate-up, make check, then commit.\n"
    )
    run("make", "lint", cwd=project)
    run("make", "test", "ARGS=-k 'invoice or migrations'", cwd=project)


def test_a_change_is_seen_before_it_is_made(project: Path) -> None:
    said = make(project, "add=paid_at:datetime?", "drop=notes", "yes=1", "DRY=1")

    assert "+    paid_at: Mapped[dt.datetime | None]\n" in said
    assert "    batch_op.drop_column('notes')\n" in said
    assert changes(project) == []


def test_what_both_changed_is_in_conflict_and_nothing_is_lost(project: Path) -> None:
    edit(project, MODEL, "    due: Mapped[dt.date | None]\n", "    # Ours: in UTC.\n    due: Mapped[dt.date | None]\n")
    edit(project, REPOSITORY, "        Invoice.due,\n", "        Invoice.due,\n        Invoice.total,\n")
    (project / "tests/unit/test_invoice_service.py").unlink()
    commit(project)

    said = make(project, "rename=due:due_on")

    assert conflicts(project) == sorted([MODEL, REPOSITORY])
    assert re.search(rf"from <<<<<<< to >>>>>>>, in:\n    {MODEL} \(lines .*\)\n    {REPOSITORY} \(lines .*\)\n", said)
    assert "    # Ours: in UTC.\n    due: Mapped[dt.date | None]\n=======\n" in (project / MODEL).read_text()
    assert "        Invoice.total,\n=======\n        Invoice.due_on,\n" in (project / REPOSITORY).read_text()
    assert not (project / "tests/unit/test_invoice_service.py").exists()
    (migration,) = [name for name in changes(project) if "alembic" in name]
    assert 'batch_op.alter_column("due", new_column_name="due_on")' in (project / migration).read_text()
    assert "There are conflicts from before" in make(project, "add=a:int?", status=2)


# --- The database

# A required field of each type, the value that rows get, and its form in responses.
REQUIRED = {
    "s:str(9)": ("'two words'", "two words"),
    "t:text": ("x", "x"),
    "i:int": ("-7", -7),
    "b:bigint": ("9000000000", 9_000_000_000),
    "f:float": ("1.5", 1.5),
    "d:decimal(5,2)": ("1.50", "1.50"),
    "tiny:decimal(9,8)": ("0.00000001", "0.00000001"),
    "n:decimal(1,0)": ("7", "7"),
    "o:bool": ("true", True),
    "day:date": ("2026-02-28", "2026-02-28"),
    "moment:datetime": ("2026-02-28T12:00:00+01:00", "2026-02-28T11:00:00Z"),
    "u:uuid": ("01900000-0000-7000-8000-000000000000", "01900000-0000-7000-8000-000000000000"),
    "j:json": ("'{\"a\": [1, 2]}'", {"a": [1, 2]}),
    "mail:email": ("ada@example.com", "ada@example.com"),
    "link:url": ("https://example.com/", "https://example.com/"),
    "level:enum(low,high)": ("high", "high"),
}
RECORD = "01900000-0000-7000-8000-000000000001"
# This runs with the same database before and after the change.
WRITE = f"""
import asyncio
from uuid import UUID

from app.core.config import get_settings
from app.core.database import Database
from app.repository.thing_repository import ThingRepository


async def main() -> None:
    database = Database(get_settings())
    async with database.transaction() as session, session.begin():
        await ThingRepository(session).create(id=UUID("{RECORD}"), name="before", due=None, kind="old")
    await database.close()


asyncio.run(main())
"""
READ = f"""
import asyncio
from uuid import UUID

from app.core.config import get_settings
from app.core.database import Database
from app.domain.schemas.thing import ThingResponse
from app.repository.thing_repository import ThingRepository


async def main() -> None:
    database = Database(get_settings())
    async with database.reading() as session:
        thing = await ThingRepository(session).get(UUID("{RECORD}"))
        print(ThingResponse.model_validate(thing).model_dump_json())
    await database.close()


asyncio.run(main())
"""


@pytest.mark.parametrize("database", ["postgresql", "sqlite"])
def test_rows_keep_their_data_and_get_what_is_required_of_them(install: Install, tmp_path: Path, database: str) -> None:
    project = copy(install() if database == "postgresql" else install(database=database), tmp_path / "backend")
    thing = ("make", "resource", "name=thing")
    run(*thing, "fields=name:str(20)!^ due:date? kind:enum(old,odd)=odd parent:ref(thing)? gone:text?", cwd=project)
    commit(project)
    run("make", "migrate-up", cwd=project)
    python(project, WRITE)
    backfill = " ".join(f"{field.partition(':')[0]}={written}" for field, (written, _) in REQUIRED.items())

    run(
        *thing,
        "fields=title:str(30)!^ due:date kind:enum(old,odd,new)=new above:ref(thing)? " + " ".join(REQUIRED),
        "rename=name:title parent:above",
        f"backfill={backfill} due=2026-01-01",
        "yes=1",
        cwd=project,
    )

    run("make", "migrate-up", cwd=project)
    row = json.loads(python(project, READ))
    expected = {field.partition(":")[0]: answered for field, (_, answered) in REQUIRED.items()}
    expected |= {"title": "before", "due": "2026-01-01", "kind": "old", "above_id": None}
    assert {name: value for name, value in row.items() if name not in ("id", "created_at", "updated_at")} == expected
    assert "are the same: nothing was written" in run("make", "migrate-create", "name=more", cwd=project, status=2)
    run("make", "lint", cwd=project)
    run("make", "test", "ARGS=-k 'thing or migrations'", cwd=project)


def python(project: Path, code: str) -> str:
    """Returns what the code prints, with the database that `make dev` uses."""
    return run(".venv/bin/python", "-m", "scripts.local", ".venv/bin/python", "-c", code, cwd=project).splitlines()[-1]


# --- Refusals

REFUSED = {
    "add=due:date?": "is given twice",
    "add=class:int?": "cannot be called 'class'",
    "add=version:int?": "cannot be called 'version'",
    "add=paid:money": "unknown type 'money'",
    "add=agent:ref(agent)?": "There is no resource 'agent'",
    "add=paid_at:datetime": "paid_at is required, and the existing rows of invoices need a value",
    "add=code:int!": "code is unique and required",
    "drop=nothing": "There is no field 'nothing' that could be dropped",
    "drop=notes": "This deletes notes of invoices, with all data in it: confirm it with yes=1.",
    "rename=due": "'due' is not a rename",
    "rename=due:class": "cannot be called 'class'",
    "rename=due:total": "is given twice",
    "rename=day:due_on": "There is no field 'day' that could be renamed",
    "rename=due:a due:b": "is renamed twice",
    "access=nobody": "Invalid choice for 'access'",
    "access=owner": "owner_id is required",
    "plural=bills": "The plural of a resource cannot change",
    "key=slug": "The key of a resource cannot change",
    "parent=client": "The parent of a resource cannot change: it is none",
    "backfill=due=2026-01-01": "and none does",
    f"fields={FIELDS.replace('str(20)', 'str(10)')}": "The values of number may not fit VARCHAR(10)",
    f"fields={FIELDS.replace('str(20)!~', 'int!')}": "The values of number may not fit INTEGER",
    f"fields={FIELDS.replace('draft,sent', 'draft')}": "must look like enum",
    f"fields={FIELDS.replace('draft,sent', 'draft,paid')}": "The values of status may not fit",
    f"fields={FIELDS.replace('due:date?', 'due:datetime?')}": "The values of due may not fit",
}
REFUSED_TOGETHER = {
    ("add=a:int?", f"fields={FIELDS}"): "leave add= and drop= out",
    ("rename=due:due_on", f"fields={FIELDS}"): "rename= leads to 'due_on', which fields= does not have",
    ("drop=due", "rename=due:due_on", "yes=1"): "is dropped and renamed",
    ("drop=notes", "rename=due:notes", "yes=1"): "The column notes exists already",
    ("rename=due:notes notes:due", "yes=1"): "The column notes exists already",
    ("add=paid_at:datetime", "backfill=paid_at=soon"): "The backfill of paid_at does not fit its type",
    ("add=a:int?", "backfill=a=1"): "'a' takes no backfill",
    ("add=paid_at:datetime", "backfill=paid_at='"): "is not closed",
    ("add=paid_at:datetime", "backfill=paid_at"): "'paid_at' is no backfill",
    ("drop=number total status due customer notes", "yes=1"): "Give the fields as name:type",
}
NONSENSE = ["", "- a\n", "{", "resource: invoice\n", "_src_path: x\n_commit: y\nresource: other\nfields: a:int\n"]


def test_what_is_refused_gets_one_sentence_and_changes_nothing(project: Path) -> None:
    cases = {(argument,): sentence for argument, sentence in REFUSED.items()} | REFUSED_TOGETHER
    refused = refusals(project, [["name=invoice", *arguments] for arguments in cases])

    for refusal, (arguments, sentence) in zip(refused, cases.items(), strict=True):
        assert sentence in refusal, arguments
        assert refusal.endswith((".", ".'", "]")), refusal
        assert "\n" not in refusal
    assert changes(project) == []


def test_a_resource_without_a_record_that_can_be_read_is_refused(project: Path) -> None:
    assert_refused(project, "There is no resource 'receipt': the resources are invoice.", "name=receipt", "add=a:int?")
    assert_refused(project, "user belongs to the template", "name=user", "add=a:int?")
    record = project / ".copier/invoice.yml"
    for text in NONSENSE:
        record.write_text(text)
        commit(project)
        for target in ("resource", "resource-remove", "resources"):
            assert_refused(project, "is not as make resource wrote it", "add=a:int?", target=target)
    record.unlink()
    commit(project)
    assert_refused(project, "invoice has no record in .copier: run make resource-adopt", "add=a:int?")


def test_fields_that_a_resource_was_not_made_with_are_not_adopted(project: Path) -> None:
    (project / ".copier/invoice.yml").unlink()
    commit(project)
    fields = f"fields={FIELDS}"

    assert_refused(
        project, "The table invoices has no column paid_at", f"{fields} paid_at:date?", target="resource-adopt"
    )
    assert_refused(project, "No model has the table bills", fields, "plural=bills", target="resource-adopt")
    assert_refused(project, "There is no resource 'receipt' to adopt", "name=receipt", fields, target="resource-adopt")
    assert "invoice was made by" in make(project, fields, "DRY=1", target="resource-adopt")
    assert changes(project) == []
    make(project, fields, target="resource-adopt")
    assert changes(project) == [".copier/invoice.yml"]
    commit(project)
    assert_refused(project, "invoice has its record already", fields, target="resource-adopt")


def test_a_person_is_asked_for_the_value_of_what_becomes_required(project: Path) -> None:
    command = "make resource name=invoice 'add=currency:str(3)'"
    for answer, said in ("", "give it with backfill="), ("EUR", "Changed invoice:"):
        terminal = pexpect.spawn("bash", ["-c", command], cwd=str(project), timeout=1800)
        terminal.expect_exact("currency is required: which value should the existing rows of invoices get?")
        terminal.sendline(answer)
        terminal.expect_exact(said)
        terminal.expect(pexpect.EOF)
        terminal.wait()

    (migration,) = [name for name in changes(project) if "alembic" in name]
    assert '.values({"currency": "EUR"})' in (project / migration).read_text()


def assert_refused(project: Path, sentence: str, *arguments: str, target: str = "resource") -> None:
    said = make(project, *arguments, target=target, status=2).splitlines()

    assert len(said) == 2, said  # make prints the last line
    assert sentence in said[0], said
    assert said[0].endswith((".", ".'", "]")), said
    assert changes(project) == []


def test_only_what_could_get_lost_has_to_be_committed(project: Path) -> None:
    (project / "uv.lock").write_text((project / "uv.lock").read_text() + "\n")
    (project / "mine.txt").write_text("mine\n")

    assert "not committed (mine.txt)" in make(project, "add=a:int?", status=2)
    (project / "mine.txt").unlink()
    make(project, "add=a:int?")


# --- Removing a resource

INTERRUPT = """
import os, signal, subprocess, sys
from scripts.template import change, plan
from scripts.template.records import find

FOLDER = os.path.dirname(plan.__file__)
EVERY = 7


def state() -> str:
    command = "git status --porcelain -uall; git diff"
    return subprocess.run(command, shell=True, capture_output=True, text=True).stdout


def interrupted(moment: int) -> bool:
    seen = 0

    def trace(frame, event, argument):
        nonlocal seen
        if not frame.f_code.co_filename.startswith(FOLDER):
            return None
        seen += event == "line"
        if seen == moment:
            seen += 1
            os.kill(os.getpid(), signal.SIGINT)
        return trace

    sys.settrace(trace)
    try:
        plan.apply(planned)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
    return seen > moment


planned = change.planned_change(find("invoice"), change.Request("invoice", rename="due:due_on"))
before = state()
plan.apply(planned)
written = [name for name in state().splitlines() if "alembic" not in name and name[:2] in (" M", "UU")]
moment = 1
while True:
    subprocess.run("git reset -q --hard; git clean -fdq", shell=True, check=True)
    stopped = interrupted(moment)
    after = state()
    whole = [name for name in after.splitlines() if "alembic" not in name and name[:2] in (" M", "UU")]
    assert after == before or whole == written and "?? alembic" in after, (moment, after)
    if not stopped:
        break
    moment += EVERY
print(moment)
"""


def test_ctrl_c_leaves_all_of_a_change_or_nothing(project: Path) -> None:
    edit(project, MODEL, "    due: Mapped[dt.date | None]\n", "    # Ours: in UTC.\n    due: Mapped[dt.date | None]\n")
    commit(project)

    assert int(run(".venv/bin/python", "-c", INTERRUPT, cwd=project)) > 100


FULL = """
import resource
from scripts.template import plan, resource as command

def apply(planned):
    # As a full disk would, it lets no file grow beyond its first bytes.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    return plan.apply(planned)

command.apply = apply
command.main()
"""


def test_a_full_disk_leaves_everything_as_it_was(project: Path) -> None:
    environment = {"RESOURCE_NAME": "invoice", "RESOURCE_ADD": "a:int?"}

    said = run(".venv/bin/python", "-c", FULL, cwd=project, status=1, environment=environment)

    assert said == "Nothing was changed: File too large.\n"
    assert changes(project) == []


def test_a_slug_follows_the_field_that_it_is_made_from(project: Path) -> None:
    def article(*arguments: str, target: str = "resource", status: int = 0) -> str:
        return run("make", target, "name=article", *arguments, cwd=project, status=status)

    article("fields=title:str(100) body:text", "key=slug")
    commit(project)
    assert "A slug is made from the first field of type str" in article("drop=title", "yes=1", status=2)
    assert "choose another access than owner" in article("access=owner", status=2)
    assert changes(project) == []

    article("rename=title:headline", "access=public")

    assert 'slug_source = "headline"' in (project / "app/repository/article_repository.py").read_text("utf-8")
    assert conflicts(project) == []
    commit(project)
    assert "\n  key: slug\n" in run("make", "resources", cwd=project)
    run("make", "lint", cwd=project)
    run("make", "test", "ARGS=tests/integration/test_article_api.py", cwd=project)
    article("yes=1", target="resource-remove")


def test_a_resource_that_is_as_it_was_made_can_be_removed(project: Path) -> None:
    refused = make(project, "yes=1", target="resource-remove", status=2)
    assert (
        f"contain your changes, so nothing was removed; delete them, or undo the changes: {SCHEMAS}, {SERVICE}."
        in refused
    )
    run("git", "checkout", "-q", "HEAD~1", "--", "app", cwd=project)
    run("make", "resource", "name=line", "fields=invoice:ref(invoice) text:text", cwd=project)
    commit(project)
    used = make(project, "yes=1", target="resource-remove", status=2)
    assert "invoice is still in use; change these first: .copier/line.yml, app/domain/models/line.py" in used
    run("make", "resource-remove", "name=line", "yes=1", cwd=project)
    commit(project)
    assert "This deletes the table invoices" in make(project, target="resource-remove", status=2)
    assert "This would be removed:\n    .copier/invoice.yml\n" in make(project, "DRY=1", target="resource-remove")
    assert changes(project) == []

    make(project, "yes=1", target="resource-remove")

    commit(project)
    assert [name for name in contents(project) if "invoice" in name and "alembic" not in name] == []
    assert run("make", "resources", cwd=project) == "There are no resources with a record: make resource adds one.\n"
    run("make", "lint", cwd=project)
    run("make", "test", "ARGS=-k migrations", cwd=project)


def test_resources_are_listed_with_what_is_changed_in_them(project: Path) -> None:
    said = run("make", "resources", cwd=project)

    assert said.startswith("invoice (invoices, access=signed-in, made by ")
    assert "    number:str(20)!~\n    total:decimal(12,2)\n" in said
    assert said.endswith(f"  yours: {SCHEMAS}\n  yours: {SERVICE}\n")
