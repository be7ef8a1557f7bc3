"""Responses contain exactly the records that the caller may also read alone, whatever the access.

This holds for what `expand=` puts in, and for lists of references.
"""

import re
import shlex
from pathlib import Path

import pytest

from scripts.new import ROOT
from tests.conftest import commit, copy, run
from tests.releases import edit
from tests.resources import Resource, make

pytestmark = pytest.mark.slow

# The documentation makes these resources.
ARTICLE = Resource("article", "title:str(100)~ body:text", "public-owner", key="slug", expand="owner")
COMMENT = Resource("comment", "body:text", "public-owner", parent="article", expand="owner article")
TARGETS = [
    Resource("poster", "title:str(50)", "public"),
    ARTICLE,
    Resource("memo", "title:str(50)", "signed-in"),
    Resource("diary", "title:str(50)", "owner"),
    Resource("plan", "title:str(50)", "admin"),
    Resource("sheet", "title:str(50)", "signed-in", parent="diary"),
    Resource("secret", "title:str(50)", "owner", parent="memo"),
]
NAMES = [each.name for each in TARGETS]
HUB = Resource(
    "hub",
    " ".join(f"{each.name}:ref({each.name})?{'' if each.parent else '/'}" for each in TARGETS),
    "public-owner",
    expand=" ".join([*NAMES, "owner"]),
)
PLURALS = {name: "diaries" if name == "diary" else f"{name}s" for name in NAMES}
# One for each kind of access, with a list of each kind of record.
LISTING = [
    Resource(
        name,
        " ".join(
            [
                "title:str(50) maker:ref(user)?/",
                *(f"{plural}:refs({target})" for target, plural in PLURALS.items()),
                *(f"main_{each.name}:ref({each.name})?/" for each in TARGETS if not each.parent),
            ]
        ),
        access,
        expand=" ".join(PLURALS.values()),
    )
    for name, access in {
        "board": "public",
        "shelf": "public-owner",
        "desk": "signed-in",
        "box": "owner",
        "vault": "admin",
    }.items()
]
SLIP = Resource("slip", "body:text", "public", parent="shelf")
# The tests of relations, and those of the whole that see every path, table and module.
OF_RELATIONS = (
    "test_read or hub or slip or (box or vault) and (TestLists or has_a_list) or openapi or architecture or migrations"
)
# The tests must notice when one of these rules is missing.
RULES = {
    "api/v1/box_router.py": (".seen_by(current_user)", ""),
    "repository/diary_repository.py": ("readable.owner_id = caller.id", "pass"),
    "repository/sheet_repository.py": ("readable.parents = parents", "pass"),
    "repository/related.py": (" & self._shown(each)", ""),
}
READ = """
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.exceptions import NotFoundError
from app.domain.models.user import Role
from app.repository.box_repository import BoxRepository
from app.service.article_service import ArticleService
from tests.api import ME, PREFIX, USERS
from tests.conftest import SignIn

NAMES = {plurals!r}
REQUESTS = {requests!r}
PUBLIC = {{"poster", "article"}}
NESTED = {{"sheet": "diary", "secret": "memo"}}
EXPAND = {{"expand": ",".join([*NAMES, "owner"])}}


async def make(client: AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    created = await client.post(path, json=body)
    assert created.status_code == 201, created.text
    found: dict[str, Any] = created.json()
    return found


@pytest.fixture
async def owner(sign_in: SignIn) -> AsyncClient:
    return await sign_in(Role.USER)


@pytest.fixture
async def paths(owner: AsyncClient, admin: AsyncClient) -> dict[str, str]:
    made, found = {{}}, {{}}
    for name in NAMES:
        path = f"{{found.get(NESTED.get(name, ''), '')}}/{{NAMES[name]}}"
        body = {{"title": "On bees", "body": "They dance."}} if name == "article" else {{"title": "A title"}}
        made[name] = await make(admin if name == "plan" else owner, path, **body)
        found[name] = f"{{path}}/{{made[name].get('slug', made[name]['id'])}}"
    hub = await make(owner, "/hubs", **{{f"{{name}}_id": made[name]["id"] for name in NAMES}})
    return found | {{"hub": f"/hubs/{{hub['id']}}"}}


async def read(client: AsyncClient, path: str) -> dict[str, Any]:
    one = (await client.get(path, params=EXPAND)).json()
    assert (await client.get("/hubs", params=EXPAND)).json()["items"][0] == one
    return {{name: one[name] for name in NAMES}}


async def test_each_caller_gets_what_they_may_read(
    client: AsyncClient, sign_in: SignIn, owner: AsyncClient, admin: AsyncClient, paths: dict[str, str]
) -> None:
    other = await sign_in(Role.MODERATOR)
    hub_id = (await owner.get(paths["hub"])).json()["id"]
    allowed = {{
        client: PUBLIC,
        other: PUBLIC | {{"memo"}},
        owner: {{*NAMES}} - {{"plan"}},
        admin: {{*NAMES}},
    }}
    for caller, names in allowed.items():
        shown = await read(caller, paths["hub"])
        assert {{name for name, value in shown.items() if value is not None}} == names
        for name in NAMES:
            by_itself = await caller.get(paths[name])
            assert shown[name] == (by_itself.json() if by_itself.is_success else None), name
            if name not in NESTED:
                below = await caller.get(f"{{paths[name]}}/hubs")
                assert below.status_code == by_itself.status_code, name
                assert not below.is_success or [each["id"] for each in below.json()["items"]] == [hub_id]


async def test_a_record_under_a_deleted_parent_is_null(
    owner: AsyncClient, admin: AsyncClient, paths: dict[str, str]
) -> None:
    await owner.delete(paths["diary"])

    shown = await read(admin, paths["hub"])

    assert (shown["diary"], shown["sheet"]) == (None, None)
    assert shown["memo"] is not None


async def test_the_requests_of_the_documentation(
    client: AsyncClient, owner: AsyncClient, paths: dict[str, str]
) -> None:
    await make(owner, "/articles/on-bees/comments", body="Do they?")
    article, with_owner, comments, with_both = [(await client.get(path)).json() for path in REQUESTS]

    owner_of = with_owner["owner"]
    assert with_owner == article | {{"owner": owner_of}}
    assert owner_of == {{"id": article["owner_id"], "full_name": owner_of["full_name"]}}
    assert with_both["items"] == [comments["items"][0] | {{"owner": owner_of, "article": article}}]


async def test_who_is_calling_is_known_before_a_connection_is_taken(
    owner: AsyncClient, paths: dict[str, str], statements: list[str]
) -> None:
    comments = f"{{paths['article']}}/comments"
    comment = await make(owner, comments, body="Do they?")
    path = f"{{comments}}/{{comment['id']}}"
    for method, asked in (("POST", comments), ("GET", f"{{path}}?expand=owner"), ("PATCH", path), ("DELETE", path)):
        statements.clear()
        response = await owner.request(method, asked, json={{"body": "They do."}})
        assert response.is_success, response.text
        (first, *_) = [each for each in statements if each.startswith("SELECT")]
        assert "refresh_tokens" in first, (method, first)


async def test_a_rule_about_reading_a_parent_holds_under_it(
    owner: AsyncClient, paths: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise NotFoundError

    monkeypatch.setattr(ArticleService, "get", refuse)

    assert (await owner.get(f"{{paths['article']}}/comments")).status_code == 404


async def test_a_token_that_is_not_valid_matters_where_it_is_asked_for(
    client: AsyncClient, paths: dict[str, str]
) -> None:
    headers = {{"Authorization": "Bearer x"}}
    for path in (paths["hub"], "/hubs"):
        assert (await client.get(path, headers=headers)).status_code == 200
        assert (await client.get(path, headers=headers, params=EXPAND)).status_code == 401


def test_the_documentation_says_that_a_token_is_taken_and_not_needed(app: FastAPI) -> None:
    for path in ("/hubs", "/hubs/{{hub_id}}"):
        token, nothing = app.openapi()["paths"][PREFIX + path]["get"]["security"]
        assert (bool(token), nothing) == (True, {{}})


async def test_a_longer_page_takes_no_more_statements(
    owner: AsyncClient, paths: dict[str, str], session: AsyncSession, statements: list[str]
) -> None:
    hub = (await owner.get(paths["hub"])).json()
    counts = []
    for rows in (1, 100):
        for _ in range(rows - 1):
            await make(owner, "/hubs", **{{f"{{name}}_id": hub[f"{{name}}_id"] for name in NAMES}})
        statements.clear()
        page = (await owner.get("/hubs", params=EXPAND | {{"limit": "100"}})).json()
        assert len(page["items"]) == rows
        counts.append(len(statements))

    assert counts[0] == counts[1]


# Of each resource with lists, the callers who may read a record of the user `owner`.
LISTING = {{
    "/boards": {{"client", "other", "owner", "admin"}},
    "/shelves": {{"client", "other", "owner", "admin"}},
    "/desks": {{"other", "owner", "admin"}},
    "/boxes": {{"owner", "admin"}},
    "/vaults": {{"admin"}},
}}
LISTS = {{"expand": ",".join(NAMES.values())}}


@pytest.mark.parametrize("path", LISTING)
async def test_lists_have_what_each_caller_may_read(
    client: AsyncClient, sign_in: SignIn, owner: AsyncClient, admin: AsyncClient, paths: dict[str, str], path: str
) -> None:
    made = {{name: (await admin.get(paths[name])).json()["id"] for name in NAMES}}
    everything = {{f"{{name}}_ids": [made[name]] for name in NAMES}}
    creator = owner if "owner" in LISTING[path] else admin
    created = await make(creator, path, title="A title")
    one = f"{{path}}/{{created['id']}}"
    filled = await admin.patch(one, json=everything)
    assert filled.json() == filled.json() | everything

    callers = {{
        "client": (client, PUBLIC),
        "other": (await sign_in(Role.MODERATOR), PUBLIC | {{"memo"}}),
        "owner": (owner, {{*NAMES}} - {{"plan"}}),
        "admin": (admin, {{*NAMES}}),
    }}
    for who, (caller, allowed) in callers.items():
        shown = await caller.get(one)
        assert shown.is_success is (who in LISTING[path])
        if not shown.is_success:
            continue
        expected = {{f"{{name}}_ids": [made[name]] if name in allowed else [] for name in NAMES}}
        assert shown.json() == filled.json() | expected
        assert (await caller.get(path)).json()["items"] == [shown.json()]
        assert (await caller.get(f"{{path}}/export", params={{"format": "ndjson"}})).json() == shown.json()
        expanded = (await caller.get(one, params=LISTS)).json()
        assert (await caller.get(path, params=LISTS)).json()["items"] == [expanded]
        for name, plural in NAMES.items():
            by_itself = await caller.get(paths[name])
            assert expanded[plural] == ([by_itself.json()] if name in allowed else [])
            query = {{f"{{name}}_id": made[name]}}
            found = (await caller.get(path, params=query)).json()
            assert found["total"] == len(found["items"]) == (name in allowed), (who, name)
            exported = await caller.get(f"{{path}}/export", params=query)
            assert exported.text.count("A title") == (name in allowed), (who, name)

    allowed = callers["admin" if creator is admin else "owner"][1]
    for name in NAMES:
        changed = await creator.patch(one, json={{f"{{name}}_ids": [made[name]]}})
        assert changed.status_code == (200 if name in allowed else 409), name


@pytest.mark.parametrize("path", LISTING)
async def test_lists_under_a_reference_have_what_each_caller_may_read(
    client: AsyncClient, sign_in: SignIn, owner: AsyncClient, admin: AsyncClient, paths: dict[str, str], path: str
) -> None:
    above = {{f"main_{{name}}": paths[name] for name in NAMES if name not in NESTED}}
    ids = {{f"{{name}}_id": (await admin.get(one)).json()["id"] for name, one in above.items()}}
    above["maker"], ids["maker_id"] = USERS, (await owner.get(ME)).json()["id"]
    creator = owner if "owner" in LISTING[path] else admin
    await make(creator, path, title="Another title")
    await make(creator, path, title="A title", **ids)

    for caller in (client, await sign_in(Role.MODERATOR), owner, admin):
        flat = await caller.get(path)
        for name, one in above.items():
            is_user = name == "maker"
            target = flat if is_user else await caller.get(one)
            below = await caller.get(f"{{one}}/{{ids['maker_id']}}{{path}}" if is_user else f"{{one}}{{path}}")
            if flat.is_success and target.is_success:
                found = (await caller.get(path, params={{f"{{name}}_id": ids[f"{{name}}_id"]}})).json()
                assert (below.json()["items"], below.json()["total"]) == (found["items"], found["total"]), name
            else:
                assert below.status_code in {{flat.status_code, target.status_code}} - {{200}}, name


async def test_a_change_of_a_list_keeps_what_the_caller_may_not_read(
    owner: AsyncClient, admin: AsyncClient, paths: dict[str, str]
) -> None:
    plan, memo = [(await admin.get(paths[name])).json()["id"] for name in ("plan", "memo")]
    one = f"/boxes/{{(await make(owner, '/boxes', title='A title', memo_ids=[memo]))['id']}}"
    await admin.patch(one, json={{"plan_ids": [plan]}})
    version = (await owner.get(one)).headers["ETag"]
    assert version != (await admin.get(one)).headers["ETag"]

    emptied = await owner.patch(one, json={{"plan_ids": [], "memo_ids": []}}, headers={{"If-Match": version}})

    assert (emptied.json()["plan_ids"], emptied.json()["memo_ids"]) == ([], [])
    kept = (await admin.get(one)).json()
    assert (kept["plan_ids"], kept["memo_ids"]) == ([plan], [])


async def test_a_list_is_in_the_order_in_which_its_records_were_created(owner: AsyncClient) -> None:
    memos = [await make(owner, "/memos", title="A title") for _ in range(3)]
    first, second, third = [memo["id"] for memo in memos]

    created = await make(owner, "/boxes", title="A title", memo_ids=[third, first, second])

    one = (await owner.get(f"/boxes/{{created['id']}}", params={{"expand": "memos"}})).json()
    assert one["memo_ids"] == created["memo_ids"] == [first, second, third]
    assert one["memos"] == memos


@pytest.mark.parametrize("path", ["/boards", "/shelves"])
async def test_a_token_beside_public_lists_must_be_valid(client: AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 200
    for asked in (path, f"{{path}}/export"):
        assert (await client.get(asked, headers={{"Authorization": "Bearer x"}})).status_code == 401


async def test_a_repository_of_a_script_lists_everything(
    admin: AsyncClient, paths: dict[str, str], session: AsyncSession
) -> None:
    plan = (await admin.get(paths["plan"])).json()["id"]
    box = UUID((await make(admin, "/boxes", title="A title", plan_ids=[plan]))["id"])

    everything = await BoxRepository(session).get(box)

    assert everything is not None
    assert [str(record_id) for record_id in everything.plan_ids] == [plan]
    session.expunge_all()
    public = await BoxRepository(session).seen_by(None).get(box)
    assert public is not None
    assert list(public.plan_ids) == []


async def test_a_longer_page_of_lists_takes_no_more_statements(
    admin: AsyncClient, paths: dict[str, str], statements: list[str]
) -> None:
    everything = {{f"{{name}}_ids": [(await admin.get(paths[name])).json()["id"]] for name in NAMES}}
    counts = []
    for rows in (1, 100):
        for _ in range(rows if rows == 1 else rows - 1):
            await make(admin, "/shelves", title="A title", **everything)
        statements.clear()
        page = (await admin.get("/shelves", params=LISTS | {{"limit": "100"}})).json()
        assert len(page["items"]) == rows
        counts.append(len(statements))

    assert counts[0] == counts[1]
"""


def arguments(resource: Resource) -> list[str]:
    """Returns the arguments of `make resource`, without those that have their defaults."""
    names = ("name", "fields", "access", "key", "parent", "expand")
    usual = Resource("", "")
    return [f"{name}={value}" for name in names if (value := getattr(resource, name)) != getattr(usual, name)]


@pytest.fixture(scope="module")
def related(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = copy(installed, tmp_path_factory.mktemp("related") / "backend")
    page = (ROOT / "docs/resources.md").read_text("utf-8")
    documented = re.findall(r"^make resource (name=(?:article|comment) fields.*)", page, re.MULTILINE)
    assert [set(shlex.split(line)) for line in documented] == [set(arguments(each)) for each in (ARTICLE, COMMENT)]
    make(project, [arguments(each) for each in [*TARGETS, COMMENT, HUB, *LISTING, SLIP]])
    run("make", "lint", cwd=project)
    requests = re.findall(r"^GET /api/v1(/articles/\S+)$", page, re.MULTILINE)
    (project / "tests/integration/test_read.py").write_text(READ.format(plurals=PLURALS, requests=requests))
    commit(project)
    return project


def test_each_kind_of_access_holds_in_what_is_put_in_and_in_lists(related: Path) -> None:
    run("make", "test", f"ARGS=-n 2 -k '{OF_RELATIONS}'", cwd=related)

    for name, (rule, without) in RULES.items():
        edit(related, f"app/{name}", rule, without)
        said = run("make", "test", "ARGS=-x tests/integration/test_read.py -k each_caller", cwd=related, status=2)
        assert "AssertionError" in said
        run("git", "checkout", "-q", "app", cwd=related)
