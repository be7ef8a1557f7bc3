"""Lists continue from a cursor; users serve as the example."""

from base64 import urlsafe_b64decode
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.exceptions import UnprocessableError
from app.domain.models.user import Role
from app.domain.schemas.user import UserListQuery
from app.repository.user_repository import UserRepository
from tests.api import USERS
from tests.conftest import SignIn
from tests.errors import wrong_fields
from tests.factories.user_factory import NAME, create_user

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.fixture
def client(admin: AsyncClient) -> AsyncClient:
    return admin


@pytest.fixture(autouse=True)
async def _users(session: AsyncSession, admin: AsyncClient) -> None:
    for number in range(6):
        await create_user(session, **{NAME: f"Name {number % 2}"})


async def page(client: AsyncClient, **query: Any) -> dict[str, Any]:
    response = await client.get(USERS, params={"limit": 2} | query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def ids(page: dict[str, Any]) -> list[str]:
    return [user["id"] for user in page["items"]]


@pytest.mark.parametrize("sort_by", ["created_at", "updated_at", "email", NAME])
@pytest.mark.parametrize("sort_order", ["asc", "desc"])
async def test_lead_through_the_whole_list(client: AsyncClient, sort_by: str, sort_order: str) -> None:
    order = {"sort_by": sort_by, "sort_order": sort_order}
    found: list[str] = []

    following = await page(client, **order)
    for _ in range(10):
        found += ids(following)
        if following["next"] is None:
            break
        following = await page(client, after=following["next"], **order)

    assert found == ids(await page(client, limit=100, **order))
    assert len(found) == 7


async def test_have_neither_a_page_nor_totals_unless_asked(client: AsyncClient) -> None:
    first = await page(client)

    second = await page(client, after=first["next"])
    counted = await page(client, after=first["next"], count=True)

    assert (first["page"], first["total"], first["total_pages"]) == (1, 7, 4)
    assert (second["page"], second["total"], second["total_pages"]) == (None, None, None)
    assert (counted["page"], counted["total"], counted["total_pages"]) == (None, 7, 4)
    assert ids(counted) == ids(second)


async def test_a_full_last_page_has_no_next_one(client: AsyncClient) -> None:
    assert (await page(client, limit=7))["next"] is None
    assert (await page(client, limit=6))["next"] is not None
    assert (await page(client, page=5))["next"] is None


async def test_nothing_is_shown_twice_or_left_out_when_others_write(client: AsyncClient, session: AsyncSession) -> None:
    everything = ids(await page(client, limit=100))
    first = await page(client)
    await create_user(session)
    for shown in ids(first):
        assert (await client.patch(f"{USERS}/{shown}", json={"is_active": False})).status_code == 200
    assert (await client.delete(f"{USERS}/{ids(first)[1]}")).status_code == 200

    rest = await page(client, after=first["next"], limit=100)

    assert ids(first) + ids(rest) == everything


async def test_belong_to_their_list(client: AsyncClient, sign_in: SignIn) -> None:
    query = {"role": "user", "sort_by": "email", "search": "test"}
    cursor = (await page(client, **query))["next"]
    other = await sign_in(Role.MODERATOR)

    assert (await client.get(USERS, params=query | {"after": cursor, "limit": 5, "count": "true"})).status_code == 200
    for change in (
        {"role": "moderator"},
        {"is_active": True},
        {"sort_by": NAME},
        {"sort_order": "asc"},
        {"search": "tes"},
    ):
        await assert_refused(client, **query | {"after": cursor} | change)
    await assert_refused(other, **query | {"after": cursor})
    await assert_refused(client, **query | {"after": cursor, "page": 2})


async def test_are_taken_by_their_exact_text(client: AsyncClient) -> None:
    cursor = (await page(client))["next"]
    last = LETTERS.index(cursor[-1])
    same_bytes = [cursor[:-1] + LETTERS[last ^ bit] for bit in (1, 2, 3)] if len(cursor) % 4 else []
    wrong = [
        *same_bytes,
        *(
            cursor[:n] + LETTERS[(LETTERS.index(cursor[n]) + 1) % 64] + cursor[n + 1 :]
            for n in range(0, len(cursor), 7)
        ),
        cursor[:-1],
        cursor[1:],
        cursor + "A",
        cursor + "=",
        cursor * 2,
        "A",
        "A" * 5000,
        "",
        "\0",
        "null",
    ]

    assert urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    for after in wrong:
        await assert_refused(client, after=after)


async def test_are_valid_as_long_as_the_key_that_signed_them(client: AsyncClient, app: FastAPI) -> None:
    settings: Settings = app.state.settings
    cursor = (await page(client))["next"]
    first, new = settings.JWT_SECRET_KEY.get_secret_value(), "n" * 40

    app.state.settings = settings.model_copy(update={"JWT_SECRET_KEY": SecretStr(f"{new},{first}")})
    assert (await client.get(USERS, params={"after": cursor})).status_code == 200

    app.state.settings = settings.model_copy(update={"JWT_SECRET_KEY": SecretStr(new)})
    await assert_refused(client, after=cursor)


async def test_a_list_that_nobody_bound_takes_none_and_gives_none(session: AsyncSession) -> None:
    """A route may take its query by `Query()`, as routes did before there were cursors."""
    assert (await UserRepository(session).list(UserListQuery(limit=2))).next is None
    with pytest.raises(UnprocessableError):
        await UserRepository(session).list(UserListQuery.model_validate({"after": "AAAA"}))


async def assert_refused(client: AsyncClient, **query: Any) -> None:
    response = await client.get(USERS, params=query)

    assert response.status_code == 422, query
    assert wrong_fields(response) == ["after"]
