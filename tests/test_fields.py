"""All accepted fields of a resource become clean code, and the row of a type defines everything about it."""

import builtins
import json
import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest
from copier import run_copy

from scripts.new import ROOT
from tests.conftest import commit, run
from tests.resources import Resource, macro, render, types, write

ACCESS = ["signed-in", "owner", "admin", "public", "public-owner"]
LONG = "n" * 24
CHOICES = ",".join(f"choice_{number:02}_{'w' * 20}" for number in range(40))
# How each type can be written, from the shortest to the longest code that results.
SPELLINGS = {
    "str": ["str(1)", "str(20)=draft", f"str(100)={'w' * 100}", "str(9999)"],
    "text": ["text", "text=é", f"text={'w' * 100}"],
    "int": ["int", "int=-007"],
    "bigint": ["bigint", "bigint=900000000000000"],
    "float": ["float", "float=1", "float=-0.50", "float=0.000000001"],
    "decimal": ["decimal(1,0)", "decimal(12,2)=10", "decimal(15,14)=-0.50000000000000"],
    "bool": ["bool", "bool=true", "bool=false"],
    "enum": ["enum(i,o,l)=o", "enum(password,token)", f"enum({CHOICES})=choice_00_{'w' * 20}"],
    "ref": ["ref(user)", f"ref({'z' * 24})", "ref(item)"],
    "refs": [],  # no resource has such a field alone: `listing` adds some
}


def accepted(resource: Resource) -> bool:
    fault = macro("fields", "fields_fault")(resource.fields, resource.name, resource.access, "/nowhere")
    return fault == "" or fault.startswith("There is no resource")


def keyed(resource: Resource) -> Resource:
    """Returns the resource with slugs in its paths, if it can have them."""
    fault = macro("key", "key_fault")("slug", resource.fields, resource.access)
    return resource if fault else replace(resource, key="slug")


def nested(resource: Resource, parent: str, key: str) -> Resource:
    """Returns the resource nested under the parent, if it can be."""
    fault = macro("parent", "parent_fault")(
        parent, resource.name, resource.access, resource.fields, resource.key, "/nowhere", {}
    )
    is_possible = fault == "" or fault.startswith("There is no resource")
    return replace(resource, parent=parent, parent_key=key) if is_possible else resource


def expanding(resource: Resource) -> Resource:
    """Returns the resource with all of its references in responses."""
    implied = macro("parent", "implied_fields")(resource.access, resource.parent)
    names = json.loads(macro("expansion", "references")(resource.fields, implied))
    return replace(resource, expand=" ".join(names))


def listing(resource: Resource, *targets: str) -> Resource:
    """Returns the resource with a list of references to each of the targets, under long names."""
    lists = [f"{'l' * 22}{number}s:refs({target})" for number, target in enumerate(targets)]
    return replace(resource, fields=" ".join([resource.fields, *lists]))


def assert_said(said: str, sentence: str) -> None:
    """Fails unless the macro said this, or nothing if the sentence is empty, with no blanks around it."""
    assert sentence in said
    assert bool(said) is bool(sentence)
    assert said.strip() == said


@cache
def possible() -> list[str]:
    """Returns each spelling of each type with each set of suffixes that it can have."""
    spelled = [
        (*spelling.partition("="), "".join(suffixes))
        for kind, row in types().items()
        for spelling in SPELLINGS.get(kind, [row["example"]])
        for size in range(len(row["suffixes"]) + 1)
        for suffixes in combinations(row["suffixes"], size)
    ]
    fields = [
        form + suffixes + (equals + default if "!" not in suffixes else "")
        for form, equals, default, suffixes in spelled
    ]
    return [field for field in fields if accepted(Resource("thing", f"a:{field}"))]


def one_field_each() -> Iterator[Resource]:
    """Yields a resource for every type with every set of suffixes, by itself and beside a reference."""
    for number, field in enumerate(possible()):
        access = ACCESS[number % len(ACCESS)]
        single = keyed(Resource(f"single_{number}", f"{LONG}:{field}", access))
        yield nested(single, "z" * 24, ["id", "slug"][number % 2]) if number % 3 else single
        pair = Resource(f"pair_{number}", f"a:{field} parent:ref(pair_{number})? buyer:ref(user)!", access)
        pair = listing(pair, "item", "user") if number % 2 else pair
        yield expanding(pair) if number % 3 else pair


def longest() -> Iterator[Resource]:
    """Yields resources with names as long, and fields as many, as allowed."""
    for start, access in enumerate(ACCESS):
        chosen = possible()[start :: len(possible()) // 40][:38]
        names = [f"{number:x}{LONG}"[:24].replace("0", "z") for number in range(0xA00, 0xA00 + len(chosen))]
        text = " ".join(f"{name}:{field}" for name, field in zip(names, chosen, strict=True))
        longest = keyed(Resource(f"{'abcde'[start]}{'w' * 23}", text, access, f"{'abcde'[start]}{'w' * 27}"))
        yield longest
        parent = f"{'vwxyz'[start]}{'p' * 23}"
        longest = listing(longest, "q" * 24)
        yield expanding(nested(replace(longest, name=f"{'fghij'[start]}{'w' * 23}"), parent, ["id", "slug"][start % 2]))


def drawn(count: int) -> Iterator[Resource]:
    """Yields resources with any fields, and names that sort before, between and after what the code imports."""
    draw = random.Random(20261126)
    fields = [field for field in possible() if not field.startswith("ref(z")]
    others = ["a", "a2", "a10", "a_1", "b01", "b1", "base", "item", "user", "zoo"]
    while count:
        name = draw.choice(["", "a", "base", "common", "conf", "types", "use", "user", "z"]) + "".join(
            draw.choices("abz019", k=draw.randint(1, 3))
        )
        labels = draw.sample(
            ["a", "a1", "a10", "a9", "b_c", "bc", "password", "reference", "some_token", "i", "z"], draw.randint(1, 6)
        )
        references = [f"{label}r:ref({draw.choice(others)})?" for label in labels[::2]]
        text = " ".join([f"{label}:{draw.choice(fields)}" for label in labels] + references)
        resource = Resource(name, text, draw.choice(ACCESS))
        resource = listing(resource, "zoo", "base") if count % 7 else resource
        resource = keyed(resource) if count % 2 else resource
        resource = nested(resource, draw.choice(others), draw.choice(["id", "slug"])) if count % 3 else resource
        resource = expanding(resource) if count % 5 else resource
        plural = macro("naming", "plural_of")(name)
        faults = macro("fields", "resource_fault")(name, "/nowhere") + macro("fields", "plural_fault")(plural, name)
        if faults == "" and accepted(resource):
            yield resource
            count -= 1


def words_of_code() -> set[str]:
    """Returns the names of Python and those in the code of a resource, in a form that a resource could have."""
    code = " ".join([*dir(builtins), *(path.read_text("utf-8") for path in (ROOT / "extensions").rglob("*.jinja"))])
    words = re.findall(r"[A-Za-z_]\w*", code)
    return {re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower() for word in words} | {word.lower() for word in words}


def test_a_plural_is_not_called_like_a_method_of_the_service() -> None:
    (service,) = (ROOT / "extensions/resource/app/service").glob("*.jinja")
    methods = set(re.findall(r"^    (?:async )?def ([a-z]\w*)\(", service.read_text("utf-8"), re.MULTILINE))

    assert {"export", "list"} <= methods
    assert all("the name is reserved" in macro("fields", "plural_fault")(name, "thing") for name in methods)


@pytest.mark.parametrize(("access", "key", "parent"), [("owner", "id", "item"), ("public-owner", "slug", "")])
def test_no_accepted_name_hides_one_that_the_code_needs(tmp_path: Path, access: str, key: str, parent: str) -> None:
    fault, plural_fault = macro("fields", "resource_fault"), macro("fields", "plural_fault")
    plural = macro("naming", "plural_of")
    names = [name for name in words_of_code() if not fault(name, "/nowhere") + plural_fault(plural(name), name)]
    # As in a project, the linter finds its rules in the parent folder of the tests.
    shutil.copy(ROOT / "template/ruff.toml", tmp_path)

    fields = "title:str(10)!^~ kind:enum(a,b)=a due:date? buyer:ref(user)?"
    resources = [Resource(name, fields, access, key=key) for name in names]
    render([expanding(nested(each, parent, "id")) if parent else each for each in resources], tmp_path)
    lists = [listing(each, "zoo") for each in resources]
    (tmp_path / "lists").mkdir()
    shutil.copy(ROOT / "template/ruff.toml", tmp_path / "lists")
    render([expanding(each) for each in lists if accepted(each)], tmp_path / "lists")
    for name in names:
        if key == "slug" and not macro("link", "between_fault")("user user", name, "/nowhere", {}):
            link(name, tmp_path / "links", target="article", key=key)

    run("ruff", "check", "--no-cache", "--quiet", ".", cwd=tmp_path)


def test_whatever_is_accepted_is_rendered_as_ruff_leaves_it(tmp_path: Path) -> None:
    resources = [*one_field_each(), *longest(), *drawn(150)]
    assert [resource for resource in resources if not accepted(resource)] == []
    shutil.copy(ROOT / "template/ruff.toml", tmp_path)

    render(resources, tmp_path)

    run("ruff", "format", "--no-cache", "--diff", ".", cwd=tmp_path)
    run("ruff", "check", "--no-cache", "--output-format=concise", ".", cwd=tmp_path)


def link(name: str, folder: Path, *, target: str, key: str) -> None:
    column = "target_id" if target == "user" else f"{target}_id"
    plural = macro("naming", "plural_of")(name)
    write(
        "link", folder, resource=name, plural=plural, target=target, target_key=key, column=column, nested=key == "slug"
    )


@pytest.mark.parametrize("key", ["id", "slug"])
@pytest.mark.parametrize("target", ["user", "link", "a" * 24])
def test_a_link_is_rendered_as_ruff_leaves_it(tmp_path: Path, target: str, key: str) -> None:
    shutil.copy(ROOT / "template/ruff.toml", tmp_path)
    for name in ("x", "b_" * 11 + "b"):
        link(name, tmp_path, target=target, key=key)

    run("ruff", "format", "--no-cache", "--diff", ".", cwd=tmp_path)
    run("ruff", "check", "--no-cache", "--output-format=concise", ".", cwd=tmp_path)


PERCENT = """
percent:
  example: percent=50
  suffixes: '?^'
  default: '100|[1-9]?[0-9]'
  python: int
  request: '{type}'
  request_imports: |
    from typing import Annotated,
    from pydantic import Field
  alias: Annotated[int, Field(strict=True, ge=0, le=100)]
  column: sa.SmallInteger
  python_default: '{whole}'
  server_default: sa.text("{default}")
  sample: '99'
  wrong: '101'
"""


def test_a_new_type_needs_nothing_but_its_row(clone: Path, tmp_path: Path) -> None:
    template = Path(shutil.copytree(clone, tmp_path / "template"))
    table = template / "macros/types.jinja"
    table.write_text(table.read_text().replace("{% endraw %}", f"{PERCENT}{{% endraw %}}"))
    commit(template)
    project = tmp_path / "project"
    run_copy(str(template), project, defaults=True, quiet=True, vcs_ref="HEAD")
    data = {"kind": "resource", "resource": "coupon", "fields": "rebate:percent^=10 share:percent?"}

    run_copy(str(template), project, data=data, defaults=True, quiet=True, vcs_ref="HEAD")

    model = (project / "app/domain/models/coupon.py").read_text()
    assert "share: Mapped[int | None] = mapped_column(sa.SmallInteger)\n" in model
    assert 'sa.SmallInteger,\n        default=10,\n        server_default=sa.text("10"),\n' in model
    schemas = (project / "app/domain/schemas/coupon.py").read_text()
    assert "CouponRebate = Annotated[int, Field(strict=True, ge=0, le=100)]\n" in schemas
    assert "rebate: CouponRebate = 10\n    share: CouponShare | None = None\n" in schemas
    assert "share: int | None\n" in schemas
    assert '"rebate": 99,\n' in (project / "tests/factories/coupon_factory.py").read_text()
    assert '("share", 101),\n' in (project / "tests/integration/test_coupon_api.py").read_text()
    run("ruff", "format", "--no-cache", "--check", ".", cwd=project)
    run("ruff", "check", "--no-cache", ".", cwd=project)


def touch(project: Path, *names: str) -> None:
    """Makes empty files in `.copier`, which show the template what the project has."""
    (project / ".copier").mkdir()
    for name in names:
        (project / ".copier" / name).touch()


EXPAND = {
    "": "",
    "customer item": "",
    "customer owner invoice": "",
    "customer_id": "'customer_id' in expand= is not a reference: name any of customer, item, agent, page",
    "total": "'total' in expand= is not a reference",
    "customer,item": "'customer,item' in expand= is not a reference",
    "none": "'none' in expand= is not a reference",
    "item item": "expand= names 'item' twice",
    "agent": "'agent' in expand= leads to agent, which has no record",
    "page": "",
    "copy": "'copy' in expand= is a reserved name",
    "session": "'session' in expand= is a reserved name",
    "like customer": "",
    "like like": "expand= names 'like' twice",
    "star": "A link cannot be called 'star', since a field of the records that it leads to has this name",
    "likes": "copy, session, owner, invoice, like, star, separated by spaces",
}


@pytest.mark.parametrize("expand", EXPAND)
def test_what_can_be_expanded_is_a_reference_that_has_readers(tmp_path: Path, expand: str) -> None:
    touch(tmp_path, "item.yml", "invoice.yml", "line+like", "line+star", "line_item+follow")
    fields = "customer:ref(user) item:ref(item) agent:ref(agent)? total:int star:bool "
    fields += "page:ref(item) copy:ref(item) session:ref(sign_in)"

    said = macro("expansion", "expand_fault")(
        expand, fields, "owner:ref(user) invoice:ref(invoice)", "line", str(tmp_path)
    )

    assert EXPAND[expand] in said
    assert bool(said) is bool(EXPAND[expand])


BETWEEN = {
    "user article": "",
    "user user": "",
    "user comment": "",
    "user link": "",
    "user   article": "",
    "user user_link": "A link cannot lead to the resource 'user_link', since the name is reserved",
    "": "name both, as in between='user article'",
    "user": "name both",
    "article": "name both",
    "article user": "name both",
    "article tag": "name both",
    "user article comment": "name both",
    "user,article": "name both",
    "user poem": "There is no resource 'poem' with a record",
    "user ../article": "There is no resource '../article' with a record",
    "user other": "There is no resource 'other' with a record",
    "user like": "The like is a link itself",
}


@pytest.mark.parametrize("between", BETWEEN)
def test_a_link_leads_from_users_to_a_resource(tmp_path: Path, between: str) -> None:
    records = {
        "article": {"resource": "article", "access": "public-owner", "fields": "title:str(100) editor:ref(user)"},
        "comment": {"resource": "comment", "access": "admin", "fields": "favourites:int", "parent": "article"},
        "link": {"resource": "link", "access": "public", "fields": "url:url"},
        "user_link": {"resource": "user_link", "access": "public", "fields": "url:url"},
        "like": {"resource": "like", "between": "user article"},
        "other": {"project_name": "of another template"},
    }
    touch(tmp_path, *(f"{name}.yml" for name in records))
    record = records.get(between.rpartition(" ")[2], {})

    said = macro("link", "between_fault")(between, "favourite", str(tmp_path), {"target": record})

    assert_said(said, BETWEEN[between])


CALLED = {
    ("link", "user"): "",
    ("user_link", "user"): "cannot be called 'user_link': the name is reserved",
    ("link_repository", "user"): "cannot be called 'link_repository': the name is reserved",
    ("user_id", "user"): "A link to the user cannot be called 'user_id'",
    ("copy", "user"): "",
    ("copy", "article"): "A link cannot be called 'copy', since",
    ("created_at", "article"): "A link cannot be called 'created_at', since",
    ("slug", "article"): "A link cannot be called 'slug', since",
    ("version", "article"): "A link cannot be called 'version', since",
    ("title", "article"): "A link cannot be called 'title', since",
    ("editor", "article"): "A link cannot be called 'editor', since",
    ("editor_id", "article"): "A link cannot be called 'editor_id', since",
    ("owner", "article"): "A link cannot be called 'owner', since",
    ("article_id", "article"): "A link to the article cannot be called 'article_id'",
    ("titles", "article"): "",
}


@pytest.mark.parametrize(("name", "target"), CALLED)
def test_a_link_is_called_as_nothing_else_there(tmp_path: Path, name: str, target: str) -> None:
    touch(tmp_path, "article.yml")
    article = {"resource": "article", "access": "public-owner", "fields": "title:str(100) editor:ref(user)"}

    said = macro("link", "between_fault")(f"user {target}", name, str(tmp_path), {"target": article})

    assert_said(said, CALLED[name, target])


NESTED: list[tuple[Resource, str, str]] = [
    (Resource("line", "a:int", parent="invoice"), "owner", ""),
    (Resource("line", "a:int", "owner", parent="invoice"), "public-owner", ""),
    (Resource("line", "a:int", "public", parent="invoice"), "public-owner", ""),
    (Resource("line", "a:int", "admin", parent="invoice"), "admin", ""),
    (Resource("line", "a:int", parent="user"), "admin", "A resource cannot be nested under users: choose access=owner"),
    (Resource("line", "a:int", parent="line"), "public", "A resource cannot be nested under itself"),
    (Resource("line", "a:int", parent="receipt"), "public", "There is no resource 'receipt' with a record"),
    (Resource("line", "a:int", parent="../line"), "public", "There is no resource '../line' with a record"),
    (Resource("line", "a:int", parent="other"), "public", "There is no resource 'other' with a record"),
    (Resource("line", "a:int", parent="item"), "public", "The item is itself nested under the invoice"),
    (Resource("line", "a:int", parent="like"), "public", "A resource cannot be nested under a link"),
    (Resource("line", "a:int invoice:ref(invoice)", parent="invoice"), "public", "'invoice' exists already"),
    (Resource("line", "invoice_id:uuid", parent="invoice"), "public", "'invoice' exists already"),
    (Resource("invoice_id", "a:int", parent="invoice"), "public", "cannot be called 'invoice_id'"),
    (Resource("line", "tax:ref(item)", parent="tax_id"), "public", "'tax_id' exists already"),
    (Resource("line", "a:int", parent="sign_in"), "public", "since the name is reserved"),
    (
        Resource("line", "a:str(9)", parent="invoice", key="slug"),
        "owner",
        "A slug would reveal names to users who may not read the invoice",
    ),
    (Resource("line", "a:str(9)", "admin", parent="invoice", key="slug"), "owner", ""),
    (Resource("line", "a:int", "owner", parent="owner"), "public", "each would need the column owner_id"),
    (Resource("line", "a:int", "public", parent="invoice"), "owner", "choose access=admin, owner or signed-in."),
    (Resource("line", "a:int", "public-owner", parent="invoice"), "signed-in", "more people than the invoice"),
    (Resource("line", "a:int", "owner", parent="invoice"), "admin", "choose access=admin."),
]


@pytest.mark.parametrize(("resource", "above", "sentence"), NESTED, ids=[str(number) for number in range(len(NESTED))])
def test_a_resource_is_nested_under_one_that_all_its_readers_may_read(
    tmp_path: Path, resource: Resource, above: str, sentence: str
) -> None:
    touch(tmp_path, "invoice.yml", "item.yml", "like.yml", "other.yml")
    record = {
        "like": {"resource": "like", "between": "user invoice"},
        "item": {"resource": "item", "access": above, "parent": "invoice"},
        "other": {"project_name": "of another template"},
    }.get(resource.parent, {"resource": resource.parent, "access": above})

    said = macro("parent", "parent_fault")(
        resource.parent,
        resource.name,
        resource.access,
        resource.fields,
        resource.key,
        str(tmp_path),
        {"parent": record},
    )

    assert_said(said, sentence)


# Fields of the resource `thing`, which belongs to an owner, and what is said about them.
LISTS = {
    "a:int tags:refs(tag)": "",
    "a:int tags:refs(tag) people:refs(user)": "",
    "tags:refs(tag)": "needs a field besides its lists",
    "a:int tags:refs": "must look like refs(tag)",
    "a:int tags:refs(tag,user)": "must look like refs(tag)",
    "a:int tags:refs(tag)?": "cannot have ?: the type refs takes none",
    "a:int tags:refs(tag)=x": "cannot have a default",
    "a:int tag_ids:refs(tag)": "would get _ids twice",
    "a:int things:refs(thing)": "cannot refer to its own resource",
    "a:int owners:refs(user)": "would be filtered by owner_id, which access=owner adds",
    "a:int tags:int tags:refs(tag)": "The field 'tags' is given twice",
    "a:int tag:ref(tag) tags:refs(tag)": "The field 'tags' would also be called tag_id",
    "a:int tag_ids:int tags:refs(tag)": "The field 'tags' would also be called tag_ids",
    "a:int relationship:int": "",
    "a:int relationship:int tags:refs(tag)": "A field cannot be called 'relationship'",
    "a:int related:refs(related)": "A field cannot be called 'related'",
    "a:int tags:refs(other)": "There is no resource 'other'",
    "a:int signs:refs(sign_in)": "cannot refer to the resource 'sign_in'",
    "a:int metadata:refs(tag)": "the name is reserved",
}


LISTS |= {
    "a:int maker:ref(user)/": "",
    "a:int maker:ref(user)?/ tag:ref(tag)/!": "",
    "a:int maker:ref(user)/ buyer:ref(user)/": "Two fields with / refer to the user",
    "a:int maker:ref(user)//": "has the same suffix twice",
    "a:int/": "cannot have /: the type int takes ! ? ^",
    "a:int above:ref(thing)?/": "whose records have no such list",
    "a:int thing:ref(tag)/": "has the name of its resource",
}


@pytest.mark.parametrize("fields", LISTS)
def test_a_list_of_references_is_called_as_nothing_else_there(tmp_path: Path, fields: str) -> None:
    (tmp_path / "tests/factories").mkdir(parents=True)
    for name in ("tag", "user"):
        (tmp_path / f"tests/factories/{name}_factory.py").touch()

    said = macro("fields", "fields_fault")(fields, "thing", "owner", str(tmp_path))

    assert_said(said, LISTS[fields])


def test_a_list_under_a_reference_needs_a_filter_and_names_of_its_own() -> None:
    nested_fault = macro("fields", "nested_fault")

    assert "has two underscores in its name" in nested_fault("my__tag", "tag", "/", "thing")
    assert "the name is reserved" in nested_fault("tag", "tag", "/", "tag_id")
    assert nested_fault("tag", "tag", "/", "thing").strip() == ""


@pytest.mark.parametrize("kind", types())
def test_the_example_of_a_type_is_accepted(kind: str) -> None:
    assert accepted(Resource("thing", f"other:int field:{types()[kind]['example']}"))
