"""Lists can be filtered by fields; users serve as the example."""

from typing import Any

import pytest
from httpx2 import AsyncClient
from pydantic import MISSING
from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.models.user import Role, User
from app.domain.schemas.filters import Own
from app.domain.schemas.user import UserListQuery
from app.repository.user_repository import UserRepository
from tests.api import USERS
from tests.errors import assert_error, wrong_fields
from tests.factories.user_factory import NAME, create_user


@pytest.fixture
def client(admin: AsyncClient) -> AsyncClient:
    return admin


@pytest.fixture(autouse=True)
async def users(session: AsyncSession, admin: AsyncClient) -> list[User]:
    """Creates three users. The administrator who sends the requests is a fourth one."""
    return [
        await create_user(session, email="ada@example.com", **{NAME: "Ada"}, role=Role.MODERATOR),
        await create_user(session, email="bob@example.com", **{NAME: "Bob"}, is_active=False),
        await create_user(session, email="eve@example.com", **{NAME: "Eve"}),
    ]


async def names(client: AsyncClient, **query: Any) -> list[str]:
    response = await client.get(USERS, params={"sort_by": NAME, "sort_order": "asc"} | query)
    assert response.status_code == 200, response.text
    return [user[NAME] for user in response.json()["items"] if user["role"] != "admin"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"role": "moderator"}, ["Ada"]),
        ({"role__in": ["moderator", "user"]}, ["Ada", "Bob", "Eve"]),
        ({"is_active": False}, ["Bob"]),
        ({"email": "EVE@Example.com"}, ["Eve"]),
        ({"email__in": ["eve@example.com", "nobody@example.com"]}, ["Eve"]),
        ({NAME: "Bob"}, ["Bob"]),
        ({f"{NAME}__gt": "Bob"}, ["Eve"]),
        ({f"{NAME}__gte": "Bob"}, ["Bob", "Eve"]),
        ({f"{NAME}__lt": "Bob"}, ["Ada"]),
        ({f"{NAME}__lte": "Bob"}, ["Ada", "Bob"]),
        ({"role": "user", "is_active": True}, ["Eve"]),
        ({"role": "user", "search": "BO"}, ["Bob"]),
        ({"role": "user", "sort_order": "desc"}, ["Eve", "Bob"]),
        ({"role": "user", "page": 2, "limit": 1}, ["Eve"]),
    ],
)
async def test_finds_what_fits_all_of_it(client: AsyncClient, query: dict[str, Any], found: list[str]) -> None:
    assert await names(client, **query) == found


async def test_finds_by_the_time_of_a_record(client: AsyncClient) -> None:
    users = (await client.get(USERS)).json()["items"]
    created, updated = ({user[NAME]: user[key] for user in users} for key in ("created_at", "updated_at"))

    assert await names(client, created_at=created["Bob"]) == ["Bob"]
    assert await names(client, created_at__gt=created["Bob"]) == ["Eve"]
    assert await names(client, created_at__gte=created["Bob"], created_at__lt=created["Eve"]) == ["Bob"]
    assert await names(client, updated_at__in=[updated["Ada"], updated["Eve"]]) == ["Ada", "Eve"]


async def test_totals_are_of_what_was_found(client: AsyncClient) -> None:
    page = (await client.get(USERS, params={"role": "user", "limit": 1})).json()

    assert (page["total"], page["total_pages"]) == (2, 2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("role", "root"),
        ("role", ["user", "admin"]),
        ("role", ""),
        ("role__gt", "user"),
        ("role__null", True),
        ("role__in", ["user", "root"]),
        ("role__in", ["user"] * 101),
        ("role__in", ["user"] * 4_000),
        ("role__eq", "user"),
        ("role__in__gt", "user"),
        ("is_active", "maybe"),
        ("is_active__in", [True]),
        ("email", "nobody"),
        (NAME, "\0"),
        (f"{NAME}__gt", "x" * 101),
        ("created_at__gte", "yesterday"),
        ("created_at__gte", "2026-01-01T00:00:00"),
        ("created_at__gte", "1"),
        ("created_at__lt", ["2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"]),
        ("password_hash", "none"),
        ("deleted_at__null", False),
        ("version", 1),
        ("sort_order", ["asc", "desc"]),
        ("limit", [1, 1]),
    ],
)
async def test_refuses_what_is_no_filter_or_no_value_of_it(client: AsyncClient, field: str, value: Any) -> None:
    response = await client.get(USERS, params={field: value})

    assert_error(response, 422)
    assert {name.partition(".")[0] for name in wrong_fields(response)} == {field}


async def test_refuses_a_thousand_filters(client: AsyncClient) -> None:
    response = await client.get(USERS, params={f"field_{number}": number for number in range(1000)})

    assert response.status_code == 422
    assert len(response.content) < 10_000


async def test_surrogates_do_no_harm(client: AsyncClient) -> None:
    assert (await client.get(f"{USERS}?{NAME}=%ED%A0%80&search=%ED%A0%80")).status_code in {200, 422}


class QueryByLength(UserListQuery):
    name_of: Own[int] = MISSING


class UsersByLength(UserRepository):
    def filter_name_of(self, value: int) -> ColumnElement[bool]:
        return User.email.like(value * "_" + "@%")


async def test_a_filter_of_ones_own_is_a_parameter_and_a_method(session: AsyncSession) -> None:
    await create_user(session, email="jonathan@example.com")

    for length, found in ((3, 2), (8, 1), (3, 2), (7, 0)):
        query = QueryByLength(name_of=length, role=Role.USER)
        assert (await UsersByLength(session).list(query)).total == found
    assert (await UsersByLength(session).list(QueryByLength())).total == 5
