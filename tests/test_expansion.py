"""With `expand=`, responses contain exactly the records that the caller may also read alone, whatever the access."""

import re
import shlex
from pathlib import Path

import pytest

from scripts.new import ROOT
from tests.conftest import commit, copy, run
from tests.releases import conflicts, edit
from tests.resources import Resource

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
    " ".join(f"{name}:ref({name})?" for name in NAMES),
    "public-owner",
    expand=" ".join([*NAMES, "owner"]),
)
# The tests must notice when one of these rules is missing.
RULES = {"diary": "readable.owner_id = caller.id", "sheet": "readable.parents = parents"}
READ = """
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.exceptions import NotFoundError
from app.domain.models.user import Role
from app.service.article_service import ArticleService
from tests.api import PREFIX
from tests.conftest import SignIn

NAMES = {names!r}
REQUESTS = {requests!r}
PUBLIC = {{"poster", "article"}}
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
    above = {{"sheet": "diary", "secret": "memo"}}
    for name in NAMES:
        plural = {{"memo": "memos", "diary": "diaries"}}.get(name, name + "s")
        path = f"/{{plural}}" if name not in above else f"{{found[above[name]]}}/{{plural}}"
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
"""


def arguments(resource: Resource) -> list[str]:
    """Returns the arguments of `make resource`, without those that have their defaults."""
    names = ("name", "fields", "access", "key", "parent", "expand")
    usual = Resource("", "")
    return [f"{name}={value}" for name in names if (value := getattr(resource, name)) != getattr(usual, name)]


def test_each_kind_of_access_holds_in_what_is_put_in(installed: Path, tmp_path: Path) -> None:
    project = copy(installed, tmp_path / "backend")
    page = (ROOT / "docs/resources.md").read_text("utf-8")
    documented = re.findall(r"^make resource (name=(?:article|comment) fields.*)", page, re.MULTILINE)
    assert [set(shlex.split(line)) for line in documented] == [set(arguments(each)) for each in (ARTICLE, COMMENT)]
    for each in [*TARGETS, COMMENT, HUB]:
        run("make", "resource", *arguments(each), cwd=project)
    requests = re.findall(r"^GET /api/v1(/articles/\S+)$", page, re.MULTILINE)
    (project / "tests/integration/test_read.py").write_text(READ.format(names=NAMES, requests=requests))

    run("make", "test", "ARGS=-n 2 tests/integration/test_read.py tests/integration/test_hub_api.py", cwd=project)

    for name, rule in RULES.items():
        edit(project, f"app/repository/{name}_repository.py", rule, "pass")
        said = run("make", "test", "ARGS=-x tests/integration/test_read.py -k each_caller", cwd=project, status=2)
        assert "AssertionError" in said
        edit(project, f"app/repository/{name}_repository.py", "pass", rule)


SCHEMAS = "app/domain/schemas/invoice.py"


def test_what_can_be_expanded_follows_the_references(installed: Path, tmp_path: Path) -> None:
    project = copy(installed, tmp_path / "backend")

    def make(*arguments: str, status: int = 0) -> str:
        return run("make", "resource", "name=invoice", *arguments, cwd=project, status=status)

    make("fields=number:str(20)! total:int customer:ref(user)")
    commit(project)
    assert "'total' in expand= is no reference" in make("expand=total", status=2)

    make("expand=customer")

    assert conflicts(project) == []
    assert "\n    customer: Expanded[UserSummary] = MISSING\n" in (project / SCHEMAS).read_text("utf-8")
    commit(project)
    assert "expand= names 'customer', which changes" in make("drop=customer", "yes=1", status=2)
    make("rename=customer:client")
    assert "\n    client: Expanded[UserSummary] = MISSING\n" in (project / SCHEMAS).read_text("utf-8")
    commit(project)
    assert "\n  expand: client\n" in run("make", "resources", cwd=project)
    run("make", "test", "ARGS=tests/integration/test_invoice_api.py -k Expand", cwd=project)
    make("expand=none")
    assert "UserSummary" not in (project / SCHEMAS).read_text("utf-8")
