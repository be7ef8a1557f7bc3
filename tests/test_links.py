"""A user has at most one link to a record, and lists count the links."""

import re
from pathlib import Path

import pytest

from scripts.new import ROOT
from tests.conftest import commit, copy, run
from tests.releases import conflicts, edit
from tests.resources import Resource, make, refusals
from tests.test_expansion import ARTICLE, COMMENT, arguments

pytestmark = pytest.mark.slow

# One for each kind of access and of path.
TARGETS = [
    ARTICLE,
    COMMENT,
    Resource("memo", "title:str(50)"),
    Resource("diary", "title:str(50)", "owner"),
    Resource("sheet", "title:str(50)", "admin", parent="diary"),
]
LINKS = {
    "favourite": "user article",
    "like": "user comment",
    "pin": "user memo",
    "star": "user diary",
    "mark_up": "user sheet",
    "follow": "user user",
}
# The tests of links and of what they lead to, and those of the whole that see every path, table and module.
OF_LINKS = " or ".join(
    [*LINKS, *(each.name for each in TARGETS), "own", "access", "openapi", "architecture", "migrations"]
)
# Each of them is seen to be missed.
RULES = {
    "app/api/v1/star_router.py": ("return (await service.get(diary_id)).id", "return diary_id"),
    "app/repository/links.py": (", User.deleted_at.is_(None))", ")"),
    "app/service/favourite_service.py": ("        await self.favourites.remove(caller.id, article_id)\n", ""),
}
# Not seen by tests that have one connection.
SAVEPOINT = ("async with self.session.begin_nested():\n                self", "if True:\n                self")
OWN = """
import asyncio
from itertools import batched
from typing import Any

from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.database import Database
from app.domain.models.article import Article
from app.domain.models.follow import Follow
from app.domain.models.user import User
from app.repository.favourite_repository import FavouriteRepository
from app.repository.follow_repository import FollowRepository
from tests.api import PREFIX
from tests.factories.article_factory import create_article
from tests.factories.user_factory import create_user

EXPAND = {"expand": "favourite,owner", "limit": "100"}
# The lines of docs/resources.md.
REQUESTS = ""


async def test_a_page_counts_the_links_of_all_its_records_in_one_statement(
    client: AsyncClient, admin: AsyncClient, session: AsyncSession, statements: list[str]
) -> None:
    me, other = (await session.scalars(select(User))).one(), await create_user(session, email="other@test.example")
    counts = []
    for rows in (1, 100):
        while (await session.scalar(select(func.count()).select_from(Article)) or 0) < rows:
            article = await create_article(session, title=f"Number {rows}")
            await FavouriteRepository(session).add(other.id, article.id)
        await FavouriteRepository(session).add(me.id, article.id)
        statements.clear()
        items = (await admin.get("/articles", params=EXPAND)).json()["items"]
        counts.append(len(statements))
        shown = {item["id"]: item["favourite"] for item in items}
        assert len(shown) == rows
        assert shown[str(article.id)] == {"count": 2, "is_mine": True}
        items = (await client.get("/articles", params=EXPAND)).json()["items"]
        assert {item["id"]: item["favourite"] for item in items} == {
            record_id: link | {"is_mine": False} for record_id, link in shown.items()
        }

    assert counts[0] == counts[1]
    assert [link["count"] for link in shown.values()].count(1) == 98


async def test_two_requests_at_once_make_one_link(settings: Settings) -> None:
    database = Database(settings)
    async with database.transaction() as session:
        user, followed = await create_user(session), await create_user(session, email="other@test.example")
    try:

        async def follow() -> None:
            async with database.transaction() as session:
                await FollowRepository(session).add(user.id, followed.id)

        async with database.transaction() as session:
            await FollowRepository(session).add(user.id, followed.id)
            second = asyncio.create_task(follow())
            # Long enough for the second one to wait for the first, which it does not see yet.
            await asyncio.sleep(1)
        await second

        async with database.reading() as session:
            counted = await FollowRepository(session).count([followed.id, user.id], user)
            assert [counted[each.id].count for each in (followed, user)] == [1, 0]
    finally:
        async with database.transaction() as session:
            await session.execute(delete(Follow))
            await session.execute(delete(User))
        await database.close()


def test_the_documentation_says_who_may_count(app: FastAPI) -> None:
    def security(path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = app.openapi()["paths"][PREFIX + path]["get"]["security"]
        return found

    assert {} in security("/articles/{article_slug}/favourite")
    assert {} not in security("/users/{user_id}/follow")
    assert {} not in security("/memos/{memo_id}/pin")


async def test_nobody_counts_followers_without_a_token(client: AsyncClient, session: AsyncSession) -> None:
    user = await create_user(session)

    assert (await client.get(f"/users/{user.id}/follow")).status_code == 401


async def test_the_requests_of_the_documentation(admin: AsyncClient, session: AsyncSession) -> None:
    await create_article(session, title="On bees")

    for method, path in batched(REQUESTS.split(), 2, strict=True):
        response = await admin.request(method, path)
        assert response.status_code == 200, response.text
"""


@pytest.fixture(scope="module")
def linked(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = copy(installed, tmp_path_factory.mktemp("linked") / "backend")
    page = (ROOT / "docs/resources.md").read_text("utf-8")
    requests = re.findall(r"^([A-Z]+) /api/v1(/articles\S*favourite)$", page, re.MULTILINE)
    assert [method for method, _ in requests] == ["GET", "PUT", "DELETE"]
    links = [[f"name={name}", f"between={between}"] for name, between in LINKS.items()]
    make(project, [*map(arguments, TARGETS), *links])
    commit(project)
    for name, expand in (("article", "owner favourite"), ("comment", "like"), ("diary", "star")):
        run("make", "resource", f"name={name}", f"expand={expand}", cwd=project)
        assert conflicts(project) == []
        commit(project)
    own = OWN.lstrip().replace('REQUESTS = ""', f'REQUESTS = "{" ".join(map(" ".join, requests))}"')
    (project / "tests/integration/test_own.py").write_text(own)
    commit(project)
    return project


def test_links_work_for_each_kind_of_access(linked: Path) -> None:
    run("make", "lint", cwd=linked)
    run("make", "test", f"ARGS=-n 2 tests/unit tests/integration -k '{OF_LINKS}'", cwd=linked)

    for file, (rule, without) in RULES.items():
        edit(linked, file, rule, without)
        run("make", "test", "ARGS=-x tests/integration -k 'favourite or star'", cwd=linked, status=2)
        run("git", "checkout", "-q", ".", cwd=linked)
    edit(linked, "app/repository/links.py", *SAVEPOINT)
    assert "IntegrityError" in run("make", "test", "ARGS=-k at_once_make_one", cwd=linked, status=2)
    run("git", "checkout", "-q", ".", cwd=linked)


def test_what_a_link_cannot_have_gets_one_sentence(linked: Path) -> None:
    sentences = {
        ("name=rate", "between=user article", "fields=a:int"): "A link has two sides and nothing else: leave fields",
        ("name=rate", "between=user article", "access=owner"): "A link has two sides and nothing else: leave access",
        ("name=rate", "between=user article", "expand=owner"): "A link has two sides and nothing else: leave expand",
        ("name=follow", "add=since:date?"): "A link has two sides and nothing else: leave add",
        ("name=follow", "between=user memo"): "The sides of follow cannot change: they are user user",
        ("name=memo", "between=user user"): "memo is a resource, not a link",
        ("name=comments", "between=user article"): "comment has the path that comments would get",
        (
            "name=remark",
            "plural=favourite",
            "fields=a:int",
            "parent=article",
        ): "favourite has the path that remark",
        ("name=title", "between=user article"): "A link cannot be called 'title', since a field",
        ("name=owner", "between=user article"): "A link cannot be called 'owner', since a field",
        ("name=article_id", "between=user article"): "A link to the article cannot be called 'article_id'",
        ("name=rate", "between=user ../../article"): "There is no resource '../../article'",
        ("name=rate", "between=user favourite"): "The favourite is a link itself",
        ("name=rate", "between=user poem"): "There is no resource 'poem' with a record",
        ("name=rate", "between=user article", "plural=users"): "The plural cannot be 'users'",
        ("name=rate", "fields=a:int", "parent=favourite"): "A resource cannot be nested under a link",
        ("name=rate", "fields=a:ref(favourite)"): "There is no resource 'favourite' for the field 'a' to refer to",
        ("name=memo", "expand=favourite"): "'favourite' in expand= is not a reference",
        ("name=article", "add=favourite:bool?"): "expand= names 'favourite', which changes",
        (
            "name=article",
            "add=favourite:bool?",
            "expand=favourite",
        ): "A link cannot be called 'favourite', since",
    }

    said = refusals(linked, list(sentences))

    for sentence, refused in zip(sentences.values(), said, strict=True):
        assert refused.startswith(sentence)
        assert refused.count("\n") == 0
    assert run("git", "status", "--porcelain", cwd=linked) == ""


def test_a_link_follows_what_it_leads_to_and_goes_before_it(installed: Path, tmp_path: Path) -> None:
    project = copy(installed, tmp_path / "backend")
    before = run("git", "rev-parse", "HEAD", cwd=project).strip()

    def change(name: str, *arguments: str, target: str = "resource", status: int = 0) -> str:
        said = run("make", target, f"name={name}", *arguments, cwd=project, status=status)
        commit(project)
        return said

    change("note", "fields=text:str(50)", "access=public")
    change("star", "between=user note")
    change("note", "expand=star")

    assert "star is like that already" in change("star", "between=user  note")
    assert "star (stars, between user note, made by " in run("make", "resources", cwd=project)
    change("note", "access=admin", "rename=text:words")
    run("make", "test", "ARGS=tests/integration -k 'star or note'", cwd=project)
    (project / ".copier/star.yml").unlink()
    commit(project)
    change("star", "between=user note", target="resource-adopt")
    assert run("git", "diff", "--stat", "HEAD~2", cwd=project) == ""
    assert "note is still in use" in change("note", "yes=1", target="resource-remove", status=2)
    router = (project / "app/api/v1/note_router.py").read_text("utf-8")
    edit(project, "app/api/v1/note_router.py", '"star": (StarRepository, LinkSummary),', "")
    edit(project, "app/api/v1/note_router.py", "from app.repository.star_repository import StarRepository\n", "")
    commit(project)
    assert "star is still in use; change these first: .copier/note.yml." in change(
        "star", "yes=1", target="resource-remove", status=2
    )
    (project / "app/api/v1/note_router.py").write_text(router, "utf-8")
    commit(project)
    change("note", "expand=none")
    change("star", "yes=1", target="resource-remove")
    change("note", "yes=1", target="resource-remove")
    run("make", "migrate-up", cwd=project)
    assert run("git", "diff", "--stat", before, "--", "app", "tests", ".copier", cwd=project) == ""
