from typing import Any
from uuid import uuid4

import pytest
from httpx2 import AsyncClient

from tests.api import PREFIX, USERS
from tests.errors import assert_error, detail, wrong_fields
from tests.factories.user_factory import NAME, user_fields

ADA = {"email": "ada@example.com", NAME: "Ada Lovelace"}

# The administrator who sends the requests is a user as well.
ASKING = "admin@test.example"


@pytest.fixture
def client(admin: AsyncClient) -> AsyncClient:
    return admin


async def create(client: AsyncClient, **fields: object) -> dict[str, Any]:
    """Creates Ada, with these fields changed."""
    response = await client.post(USERS, json=user_fields(**ADA | fields))
    assert response.status_code == 201, response.text
    user: dict[str, Any] = response.json()
    return user


async def emails(client: AsyncClient, **query: Any) -> list[str]:
    response = await client.get(USERS, params=query)
    assert response.status_code == 200, response.text
    return [user["email"] for user in response.json()["items"] if user["email"] != ASKING]


class TestCreate:
    async def test_answers_the_user_and_where_it_is(self, client: AsyncClient) -> None:
        body = user_fields(role="moderator")

        response = await client.post(USERS, json=body)

        user = response.json()
        assert response.status_code == 201
        assert response.headers["Location"] == f"{PREFIX}{USERS}/{user['id']}"
        assert {"id", "is_active", "created_at", "updated_at"} <= set(user)
        assert "password" not in user
        assert user == user | {name: value for name, value in body.items() if name in user}
        assert {"email", NAME, "role"} <= set(user)
        assert user["is_active"] is True
        assert user["created_at"].endswith("Z")

    async def test_refuses_a_taken_email_in_any_case(self, client: AsyncClient) -> None:
        await create(client)

        response = await client.post(USERS, json=user_fields(email="ADA@Example.COM"))

        assert response.status_code == 409
        assert detail(response) == "This email is already in use."
        assert await emails(client) == ["ada@example.com"]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("email", "nobody"),
            ("email", f"{'a' * 250}@example.com"),
            ("password", "1234567"),
            ("password", "x" * 129),
            ("password", None),
            ("password", "correct horse\0battery"),
            (NAME, " "),
            (NAME, "x" * 101),
            (NAME, "Ada\0"),
            ("role", "root"),
            ("is_active", False),
            ("id", "01900000-0000-7000-8000-000000000000"),
            ("password_hash", "x"),
            ("version", 2),
        ],
    )
    async def test_refuses_a_field_that_is_wrong_or_not_the_clients(
        self, client: AsyncClient, field: str, value: object
    ) -> None:
        response = await client.post(USERS, json=user_fields(**{field: value}))

        assert_error(response, 422)
        assert wrong_fields(response) == [field]


class TestList:
    async def test_pages_are_complete_and_do_not_overlap(self, client: AsyncClient) -> None:
        created = [(await create(client, email=f"user{number}@example.com"))["email"] for number in range(5)]

        pages = [
            (await client.get(USERS, params={"page": page, "limit": 2, "sort_order": "asc"})).json()
            for page in (1, 2, 3, 4)
        ]

        assert [user["email"] for page in pages for user in page["items"]] == [ASKING, *created]
        assert [page["total"] for page in pages] == [6, 6, 6, 6]
        assert [page["total_pages"] for page in pages] == [3, 3, 3, 3]
        assert (pages[1]["page"], pages[1]["limit"]) == (2, 2)

    async def test_an_empty_list_is_no_error(self, client: AsyncClient) -> None:
        response = await client.get(USERS, params={"search": "nobody"})

        assert response.json() == {"items": [], "total": 0, "page": 1, "limit": 20, "total_pages": 0, "next": None}

    async def test_totals_are_null_when_nobody_asks(self, client: AsyncClient) -> None:
        await create(client)

        page = (await client.get(USERS, params={"count": False})).json()

        assert len(page["items"]) == 2
        assert page["total"] is None
        assert page["total_pages"] is None

    async def test_newest_first_unless_asked_otherwise(self, client: AsyncClient) -> None:
        await create(client, email="b@example.com", **{NAME: "Zoe"})
        await create(client, email="a@example.com", **{NAME: "Yan"})

        assert await emails(client) == ["a@example.com", "b@example.com"]
        assert await emails(client, sort_by=NAME, sort_order="desc") == ["b@example.com", "a@example.com"]
        assert await emails(client, sort_by="email", sort_order="asc") == ["a@example.com", "b@example.com"]

    async def test_search_finds_a_part_of_email_or_name_in_any_case(self, client: AsyncClient) -> None:
        await create(client)
        await create(client, email="grace@example.org", **{NAME: "Grace Hopper"})

        assert await emails(client, search="LOVE") == ["ada@example.com"]
        assert await emails(client, search="example.ORG") == ["grace@example.org"]
        assert await emails(client, search="nobody") == []

    @pytest.mark.parametrize("wildcard", ["%", "_", "\\", "' OR 1=1 --"])
    async def test_search_is_literal(self, client: AsyncClient, wildcard: str) -> None:
        await create(client)

        assert await emails(client, search=wildcard) == []

    @pytest.mark.parametrize(
        "query",
        [
            {"page": 0},
            {"page": 10_001},
            {"page": 2**70},
            {"limit": 0},
            {"limit": 101},
            {"limit": "many"},
            {"sort_by": "password_hash"},
            {"sort_by": "__class__"},
            {"sort_order": "sideways"},
            {"search": "x" * 101},
            {"search": "\0"},
            {"order": "asc"},
        ],
    )
    async def test_refuses_a_wrong_query(self, client: AsyncClient, query: dict[str, str | int]) -> None:
        response = await client.get(USERS, params=query)

        assert_error(response, 422)
        assert wrong_fields(response) == list(query)


class TestOne:
    async def test_is_read_as_it_was_created(self, client: AsyncClient) -> None:
        user = await create(client)

        response = await client.get(f"{USERS}/{user['id']}")

        assert response.status_code == 200
        assert response.json() == user

    async def test_update_writes_only_what_was_sent(self, client: AsyncClient) -> None:
        user = await create(client)

        response = await client.patch(f"{USERS}/{user['id']}", json={NAME: "Ada King"})

        updated = response.json()
        assert response.status_code == 200
        assert updated["updated_at"] > user["updated_at"]
        assert updated | {"updated_at": None} == user | {NAME: "Ada King", "updated_at": None}
        assert (await client.get(f"{USERS}/{user['id']}")).json() == updated

    async def test_update_with_nothing_changes_nothing(self, client: AsyncClient) -> None:
        user = await create(client)

        response = await client.patch(f"{USERS}/{user['id']}", json={})

        assert response.json() == user

    async def test_role_and_activity_can_be_changed(self, client: AsyncClient) -> None:
        user = await create(client)

        response = await client.patch(f"{USERS}/{user['id']}", json={"role": "admin", "is_active": False})

        assert (response.json()["role"], response.json()["is_active"]) == ("admin", False)

    @pytest.mark.parametrize("change", [{NAME: None}, {"email": "b@example.com"}, {"password": "another one"}])
    async def test_update_refuses_what_it_may_not_write(self, client: AsyncClient, change: dict[str, object]) -> None:
        user = await create(client)

        assert (await client.patch(f"{USERS}/{user['id']}", json=change)).status_code == 422

    async def test_deleted_is_gone_and_its_email_is_free(self, client: AsyncClient) -> None:
        user = await create(client)

        response = await client.delete(f"{USERS}/{user['id']}")

        assert response.status_code == 200
        assert response.json() == {"message": "User deleted successfully", "success": True}
        assert (await client.get(f"{USERS}/{user['id']}")).status_code == 404
        assert (await client.patch(f"{USERS}/{user['id']}", json={NAME: "x"})).status_code == 404
        assert (await client.delete(f"{USERS}/{user['id']}")).status_code == 404
        assert await emails(client) == []
        assert (await create(client))["id"] != user["id"]

    @pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
    async def test_unknown_is_404_and_malformed_is_422(self, client: AsyncClient, method: str) -> None:
        body = {NAME: "x"} if method == "PATCH" else None

        assert (await client.request(method, f"{USERS}/{uuid4()}", json=body)).status_code == 404
        assert (await client.request(method, f"{USERS}/1", json=body)).status_code == 422
