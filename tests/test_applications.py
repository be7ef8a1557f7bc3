"""Applications come from a few lines, and their code stays as it was made.

One is like RealWorld, a public example of a blog, and the other one is the shop of docs/resources.md. The rules of the
blog: anybody reads articles, newest first, by tag, author and who likes them; only its author changes an article;
readers comment; users like articles and follow authors, whose articles are their feed.
"""

import re
import shlex
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from scripts.new import ROOT
from tests.conftest import commit, copy, run
from tests.releases import edit
from tests.resources import make

pytestmark = pytest.mark.slow

MADE = [
    ["name=tag", "fields=name:str(50)!^", "access=public"],
    [
        "name=article",
        "fields=title:str(100)~^ description:str(200) body:text tags:refs(tag)",
        "key=slug",
        "access=public-owner",
    ],
    ["name=comment", "fields=body:text", "parent=article", "access=public-owner", "expand=owner"],
    ["name=favourite", "between=user article"],
    ["name=follow", "between=user user"],
]
CHANGED = ["name=article", "expand=owner tags favourite"]
RESOURCES = ("tag", "article", "comment", "favourite", "follow")
# What the application adds to the code that was made: two filters, and one rule.
EDITS = {
    "app/domain/schemas/article.py": {
        "    Is,\n": "    Is,\n    Own,\n",
        "    owner_id__in: In[UUID] = MISSING\n": """\
    owner_id__in: In[UUID] = MISSING
    favourite_of: Annotated[Own[UUID], Field(description="The user whose favourites these are.")] = MISSING
    feed_of: Annotated[Own[UUID], Field(description="The user who follows the owners.")] = MISSING
""",
    },
    "app/repository/article_repository.py": {
        "class ArticleRepository": """\
from uuid import UUID

from sqlalchemy import ColumnElement, select

from app.domain.models.favourite import Favourite
from app.domain.models.follow import Follow


class ArticleRepository""",
        "    searchable = (Article.title,)\n": """\
    searchable = (Article.title,)

    def filter_favourite_of(self, value: UUID) -> ColumnElement[bool]:
        return Article.id.in_(select(Favourite.article_id).where(Favourite.user_id == value))

    def filter_feed_of(self, value: UUID) -> ColumnElement[bool]:
        return Article.owner_id.in_(select(Follow.target_id).where(Follow.user_id == value))

""",
    },
    "app/service/follow_service.py": {
        "        await self.follows.add(": """\
        if target_id == caller.id:
            raise ConflictError("Nobody can follow themselves.")
        await self.follows.add(""",
        "class FollowService": "from app.core.exceptions import ConflictError\n\n\nclass FollowService",
    },
}
BEHAVIOUR = """
from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.models.user import Role
from tests.conftest import SignIn
from tests.errors import assert_error

BODY = {"title": "On bees", "description": "Why they dance", "body": "They do."}


@pytest.fixture
async def ada(sign_in: SignIn) -> AsyncClient:
    return await sign_in(Role.USER)


@pytest.fixture
async def bob(sign_in: SignIn) -> AsyncClient:
    return await sign_in(Role.MODERATOR)


async def make(client: AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    created = await client.post(path, json=body)
    assert created.status_code == 201, created.text
    found: dict[str, Any] = created.json()
    return found


async def me(client: AsyncClient) -> str:
    user_id: str = (await client.get("/users/me")).json()["id"]
    return user_id


async def slugs(client: AsyncClient, **query: str) -> list[str]:
    page = await client.get("/articles", params=query)
    assert page.status_code == 200, page.text
    return [item["slug"] for item in page.json()["items"]]


async def test_an_article_belongs_to_its_author(client: AsyncClient, ada: AsyncClient, bob: AsyncClient) -> None:
    created = await make(ada, "/articles", **BODY)
    path = f"/articles/{created['slug']}"

    assert created["slug"] == "on-bees"
    assert (await client.get(path)).json() == created
    assert_error(await client.patch(path, json={"body": "They do not."}), 401)
    assert_error(await bob.patch(path, json={"body": "They do not."}), 403)
    assert_error(await bob.delete(path), 403)
    changed = await ada.patch(path, json={"title": "On wasps"})
    assert (changed.json()["title"], changed.json()["slug"]) == ("On wasps", "on-bees")
    assert (await ada.delete(path)).status_code == 200
    assert_error(await client.get(path), 404)


async def test_articles_are_listed_newest_first_by_tag_author_and_favourite(
    client: AsyncClient, ada: AsyncClient, bob: AsyncClient
) -> None:
    bees = await make(bob, "/tags", name="bees")
    assert_error(await ada.post("/tags", json={"name": "bees"}), 409)
    assert (await client.get("/tags?sort_by=name")).json()["items"] == [bees]
    await make(ada, "/articles", **BODY, tag_ids=[bees["id"]])
    await make(bob, "/articles", **BODY | {"title": "On ants"})

    assert await slugs(client) == ["on-ants", "on-bees"]
    assert await slugs(client, tag_id=bees["id"]) == ["on-bees"]
    assert await slugs(client, owner_id=await me(bob)) == ["on-ants"]
    assert await slugs(client, favourite_of=await me(bob)) == []
    assert (await bob.put("/articles/on-bees/favourite")).json() == {"count": 1, "is_mine": True}
    assert await slugs(client, favourite_of=await me(bob)) == ["on-bees"]

    shown = (await bob.get("/articles/on-bees", params={"expand": "owner,tags,favourite"})).json()
    assert shown["owner"]["id"] == await me(ada)
    assert (shown["tags"], shown["favourite"]) == ([bees], {"count": 1, "is_mine": True})
    assert (await bob.delete("/articles/on-bees/favourite")).json() == {"count": 0, "is_mine": False}


async def test_a_feed_has_the_articles_of_those_whom_a_user_follows(ada: AsyncClient, bob: AsyncClient) -> None:
    await make(ada, "/articles", **BODY)
    await make(bob, "/articles", **BODY | {"title": "On ants"})

    assert await slugs(bob, feed_of=await me(bob)) == []
    assert (await bob.put(f"/users/{await me(ada)}/follow")).json() == {"count": 1, "is_mine": True}
    assert_error(await bob.put(f"/users/{await me(bob)}/follow"), 409)
    assert await slugs(bob, feed_of=await me(bob)) == ["on-bees"]
    assert (await bob.delete(f"/users/{await me(ada)}/follow")).json() == {"count": 0, "is_mine": False}
    assert await slugs(bob, feed_of=await me(bob)) == []


async def test_a_comment_belongs_to_its_author_and_goes_with_the_article(
    client: AsyncClient, ada: AsyncClient, bob: AsyncClient
) -> None:
    await make(ada, "/articles", **BODY)
    assert_error(await client.post("/articles/on-bees/comments", json={"body": "Do they?"}), 401)
    comment = await make(bob, "/articles/on-bees/comments", body="Do they?")
    path = f"/articles/on-bees/comments/{comment['id']}"

    listed = (await client.get("/articles/on-bees/comments", params={"expand": "owner"})).json()["items"]
    assert [(each["body"], each["owner"]["id"]) for each in listed] == [("Do they?", await me(bob))]
    assert_error(await ada.delete(path), 403)
    assert (await bob.delete(path)).status_code == 200
    assert (await client.get("/articles/on-bees/comments")).json()["items"] == []
    await ada.delete("/articles/on-bees")
    assert_error(await client.get("/articles/on-bees/comments"), 404)
"""


# Its requests come from the documentation.
SHOP = """
import pytest
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from tests.factories.customer_factory import create_customer
from tests.factories.invoice_factory import create_invoice
from tests.factories.tag_factory import create_tag

REQUESTS = []


@pytest.mark.parametrize("request_line", REQUESTS)
async def test_a_request_of_the_documentation(admin: AsyncClient, session: AsyncSession, request_line: str) -> None:
    tag, customer = await create_tag(session), await create_customer(session)
    for number, chosen in (("2026-1", tag), ("2026-2", await create_tag(session))):
        fields = {"number": number, "due": None, "tag_ids": [chosen.id], "customer_id": customer.id}
        invoice = await create_invoice(session, **fields)
        line = {"text": number, "quantity": 2, "price": "9.99"}
        created = await admin.post(f"/invoices/{invoice.id}/lines", json=line)
        assert created.status_code == 201, created.text
    for name, record in (("CUSTOMER", customer), ("TAG", tag), ("INVOICE", invoice)):
        request_line = request_line.replace(name, str(record.id))

    response = await admin.get(request_line.removeprefix("GET /api/v1"))

    assert response.status_code == 200, response.text
    found = response.json()
    items = found.get("items", [found])
    assert len(items) == (1 if "tag_id" in request_line or str(invoice.id) in request_line else 2)
    for item in items:
        assert "customer" not in item or item["customer"]["id"] == str(customer.id)
        assert "tags" not in item or [each["id"] for each in item["tags"]] == item["tag_ids"] != []
        assert "invoice" not in item or item["invoice"]["id"] == item["invoice_id"]
        assert {"customer", "tags", "invoice"} & item.keys() == {
            *(request_line.partition("expand=")[2].split(",") if "expand=" in request_line else ())
        }
"""


def generated(project: Path) -> Iterator[Path]:
    """Yields the files of the resources, without tests of their API and services."""
    for name in RESOURCES:
        for path in (
            f"app/domain/models/{name}.py",
            f"app/domain/schemas/{name}.py",
            f"app/repository/{name}_repository.py",
            f"app/service/{name}_service.py",
            f"app/api/v1/{name}_router.py",
            f"tests/factories/{name}_factory.py",
        ):
            if (project / path).exists():
                yield project / path


def kept(before: str, after: str) -> int:
    """Returns how many lines of the one text are in the other, in the same order."""
    lines = SequenceMatcher(a=before.splitlines(), b=after.splitlines(), autojunk=False)
    return sum(block.size for block in lines.get_matching_blocks())


def test_their_code_stays_as_it_was_made(
    installed: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    project = copy(installed, tmp_path / "backend")
    page = (ROOT / "docs/resources.md").read_text("utf-8")
    shop = page.partition("\n## A shop\n")[2].partition("\n## ")[0]
    made_of = [shlex.split(line) for line in re.findall(r"^make resource (.*)", shop, re.MULTILINE)]
    make(project, [*MADE, *(each for each in made_of if each not in MADE)])
    commit(project)
    run("make", "resource", *CHANGED, cwd=project)
    commit(project)
    made = {path: path.read_text("utf-8") for path in generated(project)}

    for name, edits in EDITS.items():
        for old, new in edits.items():
            edit(project, name, old, new)
    (project / "tests/integration/test_realworld.py").write_text(BEHAVIOUR.lstrip(), "utf-8")
    requests = re.findall(r"^GET .*", shop, re.MULTILINE)
    (project / "tests/integration/test_shop.py").write_text(SHOP.lstrip().replace("[]", repr(requests), 1), "utf-8")
    run("make", "format", cwd=project)

    names = " or ".join(("realworld", "shop", *RESOURCES, "invoice", "line", "openapi", "architecture", "migrations"))
    run("make", "lint", cwd=project)
    run("make", "test", f"ARGS=-n 2 tests/unit tests/integration -k '{names}'", cwd=project)
    lines = sum(len(text.splitlines()) for text in made.values())
    share = sum(kept(text, path.read_text("utf-8")) for path, text in made.items()) / lines
    record_property("an application like RealWorld", f"{len(MADE) + 1} lines, {share:.0%} of {lines} made lines kept")
    assert share > 0.7
