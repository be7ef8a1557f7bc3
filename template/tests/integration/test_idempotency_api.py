"""A POST that is sent again with its Idempotency-Key creates nothing more, and gets the same response."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.deps import Providers
from app.core.config import Settings
from app.domain.models.base import utc_now
from app.domain.models.stored_response import StoredResponse
from app.domain.models.user import Role, User
from app.repository.stored_response_repository import BATCH
from app.repository.user_repository import UserRepository
from tests.api import AUTH, PREFIX, USERS
from tests.conftest import SignIn
from tests.errors import assert_error, wrong_fields
from tests.factories.user_factory import PASSWORD, user_fields

HEADER = "Idempotency-Key"
KEY = '"8e03978e-40d5-43dd-bc93-6894a57f9324"'


@pytest.fixture
def body() -> dict[str, Any]:
    return user_fields()


async def create(client: AsyncClient, body: dict[str, Any], key: str = KEY) -> Response:
    return await client.post(USERS, json=body, headers={HEADER: key})


async def stored(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(StoredResponse)) or 0


async def users(client: AsyncClient) -> int:
    total: int = (await client.get(USERS)).json()["total"]
    return total


async def let_expire(session: AsyncSession) -> None:
    await session.execute(update(StoredResponse).values(expires_at=utc_now()))
    await session.commit()


async def test_the_same_again_gets_the_same_and_creates_nothing(admin: AsyncClient, body: dict[str, Any]) -> None:
    first = await create(admin, body)
    before = await users(admin)

    second = await create(admin, body)

    assert first.status_code == second.status_code == 201
    assert second.content == first.content
    own = {"x-request-id"}
    assert {name: first.headers[name] for name in first.headers.keys() - own} == {
        name: second.headers[name] for name in second.headers.keys() - own
    }
    assert second.headers["Location"] == f"{PREFIX}{USERS}/{first.json()['id']}"
    assert await users(admin) == before


async def test_the_response_is_as_without_a_key(admin: AsyncClient) -> None:
    plain = await admin.post(USERS, json=user_fields())
    keyed = await create(admin, user_fields())

    assert keyed.json().keys() == plain.json().keys()
    assert keyed.headers.keys() == plain.headers.keys()


async def test_another_body_is_refused(admin: AsyncClient, body: dict[str, Any]) -> None:
    await create(admin, body)

    refused = await create(admin, body | {"password": "another one, as long"})

    assert_error(refused, 422)
    assert wrong_fields(refused) == [HEADER]


async def test_a_refusal_leaves_the_key_free(admin: AsyncClient, body: dict[str, Any]) -> None:
    taken = await create(admin, body, "first")

    assert_error(await create(admin, body, "second"), 409)
    assert_error(await create(admin, {}, "second"), 422)

    assert (await create(admin, user_fields(), "second")).status_code == 201
    assert (await create(admin, body, "first")).content == taken.content


async def test_each_caller_has_keys_of_their_own(admin: AsyncClient, sign_in: SignIn, session: AsyncSession) -> None:
    first = await create(admin, user_fields())
    other = await sign_in(Role.MODERATOR)

    # A caller who may not create does not learn that the key was used.
    assert_error(await create(other, user_fields()), 403)

    await session.execute(update(User).where(User.role == Role.MODERATOR).values(role=Role.ADMIN))
    await session.commit()
    second = await create(other, user_fields())
    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]


async def test_another_key_is_another_request(admin: AsyncClient) -> None:
    first, second = await create(admin, user_fields(), "a"), await create(admin, user_fields(), "b")

    assert first.json()["id"] != second.json()["id"]


async def test_quotes_do_not_make_another_key(admin: AsyncClient, body: dict[str, Any]) -> None:
    first = await create(admin, body, '"abc"')

    assert (await create(admin, body, "abc")).content == first.content


@pytest.mark.parametrize("key", ['""', "", '"', '"a', "a b", '"a";b=1', '"a", "b"', "x" * 256, '"\\a"', "ä".encode()])
async def test_refuses_what_is_no_key(admin: AsyncClient, body: dict[str, Any], key: str) -> None:
    refused = await create(admin, body, key)

    assert_error(refused, 422)
    assert wrong_fields(refused) == [HEADER]


@pytest.mark.parametrize("key", ['"a b\\"\\\\c"', '"%s"' % ("x" * 253), "dGVzdA==", "!"])
async def test_takes_what_is_one(admin: AsyncClient, body: dict[str, Any], key: str) -> None:
    first = await create(admin, body, key)

    assert first.status_code == 201
    assert (await create(admin, body, key)).content == first.content


async def test_two_keys_are_none(admin: AsyncClient, body: dict[str, Any]) -> None:
    assert_error(await admin.post(USERS, json=body, headers=[(HEADER, "a"), (HEADER, "b")]), 422)


async def test_one_that_still_runs_is_not_waited_for(
    admin: AsyncClient, providers: Providers, body: dict[str, Any]
) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    class Slow(UserRepository):
        async def create(self, /, **values: Any) -> User:
            if not begun.is_set():  # in the first request
                begun.set()
                await may_end.wait()
            return await super().create(**values)

    providers.user_repository = Slow
    first = asyncio.create_task(create(admin, body))
    await begun.wait()

    refused = await create(admin, body)
    may_end.set()

    assert_error(refused, 409)
    assert refused.headers["Retry-After"] == "1"
    assert (await first).status_code == 201
    assert (await create(admin, body)).content == (await first).content


async def test_what_is_stored_has_no_secret(admin: AsyncClient, body: dict[str, Any], session: AsyncSession) -> None:
    response = await create(admin, body)

    row = (await session.scalars(select(StoredResponse))).one()
    assert row.body == response.content
    everything = repr([getattr(row, column.key) for column in StoredResponse.__table__.columns])
    assert PASSWORD not in everything
    assert "argon2" not in everything
    assert KEY.strip('"') not in everything
    assert admin.headers["Authorization"].split()[1] not in everything


async def test_a_new_signing_key_in_front_of_the_old_one_changes_nothing(
    app: FastAPI, settings: Settings, admin: AsyncClient, body: dict[str, Any]
) -> None:
    first = await create(admin, body)
    old = settings.JWT_SECRET_KEY.get_secret_value()
    app.state.settings = settings.model_copy(update={"JWT_SECRET_KEY": type(settings.JWT_SECRET_KEY)(f"new,{old}")})

    assert (await create(admin, body)).content == first.content


async def test_it_is_forgotten_in_time(
    app: FastAPI, settings: Settings, admin: AsyncClient, body: dict[str, Any], session: AsyncSession
) -> None:
    app.state.settings = settings.model_copy(update={"IDEMPOTENCY_KEY_HOURS": 48})
    await create(admin, body)
    expires_at = await session.scalar(select(StoredResponse.expires_at))
    assert expires_at is not None
    assert timedelta(hours=47) < expires_at - utc_now() <= timedelta(hours=48)
    await let_expire(session)

    assert_error(await create(admin, body), 409)  # since the e-mail address is taken
    assert (await create(admin, user_fields())).status_code == 201
    assert await stored(session) == 1


async def test_each_new_one_erases_a_few_that_have_expired(admin: AsyncClient, session: AsyncSession) -> None:
    session.add_all(
        StoredResponse(id=f"{number}", fingerprint="", status=201, headers={}, body=b"", expires_at=utc_now())
        for number in range(BATCH + 3)
    )
    await session.commit()

    await create(admin, user_fields(), "a")
    assert await stored(session) == 4
    await create(admin, user_fields(), "b")
    await create(admin, user_fields(), "c")
    assert await stored(session) == 3


def test_the_documentation_names_the_header_where_something_is_created(app: FastAPI) -> None:
    keyed = {
        (method, path)
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
        if HEADER in {parameter["name"] for parameter in operation.get("parameters", [])}
    }

    assert ("post", f"{PREFIX}{USERS}") in keyed
    assert not {(method, path) for method, path in keyed if method != "post" or path.startswith(f"{PREFIX}{AUTH}")}


async def test_without_a_key_nothing_is_stored(admin: AsyncClient, session: AsyncSession) -> None:
    assert (await admin.post(USERS, json=user_fields())).status_code == 201

    assert await stored(session) == 0
