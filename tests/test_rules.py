"""Rules over several fields have tests in the project, and change with the resource; wrong ones are refused."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from copier import run_copy
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.new import ROOT
from tests.conftest import commit, copy, run
from tests.resources import Resource, macro, refusals, render
from tests.test_living import changes

LONG = "n" * 23
FIELDS = (
    "number:int year:int=2026 code:str(20)! note:text? share:float low:decimal(5,2) high:decimal(9,4) "
    "price:decimal(5,2)! kind:enum(a,b) active:bool title:str(500) mail:email customer:ref(user) parent:ref(thing)? "
    "day:date at:datetime a:int b:int c:int d:int e:int year_a:int number_year:int! "
    f"{LONG}1:int {LONG}2:int {LONG}3:int {LONG}4:int"
)
UNIQUE = {
    "number": "is not a rule of unique=",
    "number+": "is not a rule of unique=",
    "number + year": "is not a rule of unique=",
    "number>year": "is not a rule of unique=",
    "none": "is not a rule of unique=",
    "number+year+a+b+c": "2 to 4 fields",
    "number+owner": "names 'owner', which is no field",
    "number+customer_id": "names 'customer_id', which is no field",
    "number+number": "names the same field twice",
    "number+note": "cannot name 'note': a field of the type text is never unique",
    "number+share": "cannot name 'share'",
    "number+code": "The field 'code' is unique by itself",
    "kind+active": "would allow a few records only",
    "kind+parent": "would allow a few records only",
    "title+mail": "at most 600 characters together",
    "a+b b+a": "leave one of the two out",
    "a+b+c a+b": "leave one of the two out",
    "number+year": "in the database, a name that is taken",
    "a+year_a a_year+a": "names 'a_year'",
    f"{LONG}1+{LONG}2+{LONG}3": "more than 63 characters",
}
CHECK = {
    "a": "is not a rule of check=",
    "a>": "is not a rule of check=",
    "a > b": "is not a rule of check=",
    "a=b": "is not a rule of check=",
    "a=>b": "is not a rule of check=",
    "a>b>c": "is not a rule of check=",
    "a>1": "is not a rule of check=",
    "a>z": "names 'z', which is no field",
    "a>a": "compares a field with itself",
    "code>title": "compares fields that have no order",
    "customer>a": "compares fields that have no order",
    "a>at": "compares two types, int and datetime",
    "day<at": "compares two types, date and datetime",
    "price>low": "cannot name a decimal that is unique",
    "a>b b>a": "another rule compares",
    "a>b a>=b": "another rule compares",
    "a>b b>c c>a": "form a cycle",
    "a>b b>c d<c d>=e": "form a chain of more than 3",
    f"{LONG}1>{LONG}2": "more than 63 characters",
}
ACCEPTED = [
    ("customer+number", ""),
    ("number+kind+active+customer", "a>b c<d"),
    ("parent+title owner+title", "a>b b>=c d<c high>=low"),
    ("a+kind a+active", "a>b"),
    (f"{LONG}1+{LONG}2", f"{LONG}1>a a<b"),
]


def fault(unique: str, check: str, access: str = "signed-in", plural: str = "things") -> str:
    implied = macro("parent", "implied_fields")(access, "")
    found = macro("rules", "check_fault")(check, FIELDS, "thing", implied, plural)
    return found or macro("rules", "unique_fault")(unique, FIELDS, "thing", implied, plural, check)


@pytest.mark.parametrize(
    ("unique", "check", "sentence"),
    [*((rule, "", sentence) for rule, sentence in UNIQUE.items()), *(("", rule, CHECK[rule]) for rule in CHECK)],
)
def test_a_rule_that_cannot_hold_is_refused_in_one_sentence(unique: str, check: str, sentence: str) -> None:
    said = fault(unique, check)

    assert sentence in said
    assert said.strip() == said
    assert said.endswith((".", "'."))
    assert "\n" not in said


@given(*[st.lists(st.text(alphabet="abcde+>=< _", max_size=12), max_size=4).map(" ".join)] * 2)
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_list_of_rules_or_a_sentence(unique: str, check: str) -> None:
    said = fault(unique, check)

    assert said.strip() == said
    assert said == "" or said.endswith((".", "'."))


def test_rules_that_are_accepted_are_rendered_as_ruff_leaves_them(tmp_path: Path) -> None:
    for number, (unique, check) in enumerate(ACCEPTED):
        plural = f"z{number}"
        access = "owner" if "owner" in unique else "signed-in"
        assert fault(unique, check, access, plural) == ""
        name = f"thing_{number}"
        fields = FIELDS.replace("ref(thing)", f"ref({name})")
        render([Resource(name, fields, access, plural, unique, check)], tmp_path)
    shutil.copy(ROOT / "template/ruff.toml", tmp_path)

    run("ruff", "format", "--no-cache", "--diff", ".", cwd=tmp_path)
    run("ruff", "check", "--no-cache", "--output-format=concise", ".", cwd=tmp_path)


# --- The names of list parameters

PARAMETERS = ["page", "limit", "count", "search", "sort_by", "sort_order", "after", "expand", "format", "due__gte"]


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_new_field_is_not_called_like_a_parameter_of_lists(name: str, tmp_path: Path) -> None:
    assert f"cannot be called '{name}'" in accepted(name, tmp_path)
    (tmp_path / ".copier/thing").mkdir(parents=True)
    (tmp_path / ".copier/thing/other").touch()
    assert f"cannot be called '{name}'" in accepted(name, tmp_path)
    (tmp_path / f".copier/thing/{name}").touch()
    assert accepted(name, tmp_path) == ""


def accepted(name: str, project: Path) -> str:
    return macro("fields", "fields_fault")(f"{name}:int", "thing", "signed-in", str(project))


# --- In a project

# These cover every type that a rule can have, every comparison, and all kinds of access.
EVERY_TYPE = {
    "measure": (
        "public",
        "a:int b:int! c:bigint d:bigint? e:float f:float g:decimal(1,0) h:decimal(12,2) i:date j:date m:datetime "
        "n:datetime",
        "a+c g+i j+m",
        "b>a d>=c e<f g<=h j>i n>=m",
    ),
    "stay": (
        "owner",
        "name:str(2) end:date start:date order:date user:ref(user) parent:ref(stay)? level:enum(a,b)=a active:bool? "
        "key:uuid mail:email link:url amount:decimal(3,1)?",
        "owner+name+level parent+start+active user+end key+mail amount+link",
        "end>start order>=end",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("database", ["postgresql", "sqlite"])
def test_rules_live_with_their_fields(clone: Path, tmp_path: Path, database: str) -> None:
    project = tmp_path / "backend"
    run_copy(str(clone), project, data={"database": database}, defaults=True, quiet=True, vcs_ref="HEAD")
    run("git", "init", "-q", cwd=project)
    run("make", "install", cwd=project)
    for name, (access, fields, unique, check) in EVERY_TYPE.items():
        make(project, f"name={name}", f"fields={fields}", f"unique={unique}", f"check={check}", f"access={access}")
    commit(project)
    assert_migrated(project)
    run("make", "test", "ARGS=-n 2 -k 'stay or measure or migrations'", cwd=project)

    make(project, "name=stay", "rename=start:begin", "drop=mail link", "unique=owner+name key+user", "yes=1")

    assert_migrated(project)
    run("make", "lint", cwd=project)
    model = (project / "app/domain/models/stay.py").read_text()
    assert re.findall(r'live_index\("(uq_\w+)"', model) == ["uq_stays_owner_id_name", "uq_stays_key_user_id"]
    assert """'"end" > "begin"', name="end_above_begin\"""" in model
    commit(project)
    make(project, "name=stay", "unique=none", "check=none")
    assert_migrated(project)
    assert not re.search("uq_|Check", (project / "app/domain/models/stay.py").read_text())
    assert "unique" not in (project / ".copier/stay.yml").read_text()


def assert_migrated(project: Path) -> None:
    """Migrates up, down and up again, and requires that the database then matches the models."""
    for target in ("migrate-up", "migrate-down", "migrate-up"):
        run("make", target, cwd=project)
    assert "are the same: nothing was written" in run("make", "migrate-create", "name=more", cwd=project, status=2)


def make(project: Path, *arguments: str, target: str = "resource") -> str:
    return run("make", target, *arguments, cwd=project)


@pytest.fixture(scope="module")
def booked(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = copy(installed, tmp_path_factory.mktemp("booked") / "backend")
    fields = "room:str(20) starts_at:datetime ends_at:datetime seats:int customer:ref(user)"
    make(project, "name=invoice", f"fields={fields}", "unique=room+starts_at", "check=ends_at>starts_at")
    commit(project)
    return project


@pytest.fixture
def project(booked: Path, tmp_path: Path) -> Path:
    return copy(booked, tmp_path / "backend")


REFUSED = {
    (
        "drop=room",
        "yes=1",
    ): "The rule 'room+starts_at' names 'room', which changes: give unique= again",
    ("drop=ends_at", "yes=1"): "The rule 'ends_at>starts_at' names 'ends_at', which changes: give check= again",
    ("drop=room", "rename=seats:room", "yes=1"): "The column room exists already",
    ("fields=room:text starts_at:datetime ends_at:datetime seats:int",): "names 'room', which changes",
    ("rename=room:hall", "unique=room+starts_at"): "names 'room', which is no field",
    ("drop=room", "yes=1", "unique=room+seats"): "names 'room', which is no field",
    ("check=seats>room",): "compares fields that have no order",
    ("unique=owner+seats",): "names 'owner', which is no field",
    ("add=count:int?",): "cannot be called 'count'",
    ("add=a__b:int?",): "cannot be called 'a__b'",
}


@pytest.mark.slow
def test_a_change_that_a_rule_forbids_gets_one_sentence_and_changes_nothing(project: Path) -> None:
    refused = refusals(project, [["name=invoice", *arguments] for arguments in REFUSED])

    for refusal, (arguments, sentence) in zip(refused, REFUSED.items(), strict=True):
        assert sentence in refusal, arguments
        assert refusal.endswith((".", ".'")), refusal
        assert "\n" not in refusal
    assert changes(project) == []


@pytest.mark.slow
def test_a_field_that_was_called_so_before_stays_when_its_resource_changes(project: Path) -> None:
    for name in [*project.rglob("*invoice*.py"), project / ".copier/invoice.yml"]:
        name.write_text(name.read_text().replace("seats", "count"))
    commit(project)

    make(project, "name=invoice", "add=note:text?")

    assert "count:int" in (project / ".copier/invoice.yml").read_text()
    assert "    note: Mapped[str | None]" in (project / "app/domain/models/invoice.py").read_text()


@pytest.mark.slow
def test_rules_are_listed_adopted_and_kept_by_an_update(clone: Path, project: Path, tmp_path: Path) -> None:
    record, model = project / ".copier/invoice.yml", project / "app/domain/models/invoice.py"
    recorded = record.read_text()
    assert "  unique: room+starts_at\n  check: ends_at>starts_at\n" in make(project, target="resources")
    record.unlink()
    commit(project)
    fields = yaml.safe_load(recorded)["fields"]
    rules = ["unique=room+starts_at", "check=ends_at>starts_at"]
    make(project, "name=invoice", f"fields={fields}", *rules, target="resource-adopt")
    assert changes(project) == [".copier/invoice.yml"]
    assert record.read_text() == recorded
    commit(project)

    template = Path(shutil.copytree(clone, tmp_path / "template"))
    for name in (".copier-answers.yml", ".copier/invoice.yml"):
        (project / name).write_text((project / name).read_text().replace(str(clone), str(template)))
    commit(project)
    source = template / "extensions/resource/app/domain/models/{{ resource }}.py.jinja"
    source.write_text(source.read_text().replace("({{ base }}):\n", '({{ base }}):\n    """Newer."""\n\n'))
    commit(template)
    before = model.read_text()
    make(project, target="update")

    assert model.read_text() == before.replace("(Entity):\n", '(Entity):\n    """Newer."""\n\n')
    assert "unique: room+starts_at" in record.read_text()
