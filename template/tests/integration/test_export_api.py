"""Users can be exported as CSV and NDJSON."""

import asyncio
import csv
import json
from collections.abc import AsyncGenerator, Sequence
from io import StringIO
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi import Response as AppResponse
from httpx2 import ASGITransport, AsyncClient, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.deps import Providers
from app.api.export import Exports
from app.core.config import Settings
from app.domain.models.user import Role, User
from app.domain.schemas.user import UserExportQuery, UserResponse
from app.middleware.head import HeadMiddleware
from tests.api import PREFIX, USERS
from tests.conftest import SignIn
from tests.errors import assert_error, detail, wrong_fields
from tests.factories.user_factory import NAME, create_user

PATH = f"{USERS}/export"


async def export(client: AsyncClient, **query: Any) -> Response:
    response = await client.get(PATH, params=query)
    assert response.status_code == 200, response.text
    return response


def table(response: Response) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(response.text, newline="")))


@pytest.fixture
async def ada(session: AsyncSession) -> None:
    await create_user(session, **{"email": "ada@example.com", NAME: 'Ada "Countess", Lovelace'})


async def test_a_line_of_json_is_a_record_of_the_list(admin: AsyncClient, ada: None) -> None:
    response = await export(admin, format="ndjson")

    assert response.headers["Content-Type"] == "application/x-ndjson"
    assert response.headers["Content-Disposition"] == 'attachment; filename="users.ndjson"'
    listed = (await admin.get(USERS)).json()["items"]
    assert [json.loads(line) for line in response.text.splitlines()] == listed


async def test_a_row_of_a_table_is_a_record_of_the_list(admin: AsyncClient, ada: None) -> None:
    response = await export(admin)

    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="users.csv"'
    listed = (await admin.get(USERS)).json()["items"]
    assert response.text.startswith(",".join(listed[0]) + "\r\n")
    assert response.text.endswith("\r\n")
    assert table(response) == [{name: cell(value) for name, value in user.items()} for user in listed]


def cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


@pytest.mark.parametrize("query", [{"search": "ADA"}, {"email": "Ada@example.com"}, {f"{NAME}__gte": "Ad"}])
async def test_it_has_what_the_list_has(
    admin: AsyncClient, session: AsyncSession, ada: None, query: dict[str, str]
) -> None:
    await create_user(session, **{NAME: "Zoe"})
    query |= {"sort_by": "email", "sort_order": "asc"}

    exported = table(await export(admin, **query))

    listed = (await admin.get(USERS, params=query)).json()["items"]
    assert [user["id"] for user in exported] == [user["id"] for user in listed]


async def test_it_has_more_than_a_page_in_the_same_order(admin: AsyncClient, session: AsyncSession) -> None:
    names = [f"{number:04}" for number in range(1200)]
    for name in names:
        await create_user(session, **{NAME: name})

    users = table(await export(admin, **{"sort_by": NAME, "sort_order": "desc", f"{NAME}__lt": "A"}))

    assert [user[NAME] for user in users] == names[::-1]


async def test_a_table_of_nothing_is_its_header(admin: AsyncClient) -> None:
    assert (await export(admin, search="nobody")).text.count("\r\n") == 1
    assert (await export(admin, search="nobody", format="ndjson")).content == b""


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\uff1d"])
async def test_no_spreadsheet_runs_what_a_user_wrote(admin: AsyncClient, session: AsyncSession, start: str) -> None:
    name = f"{start}cmd|' /C calc'!A0"
    await create_user(session, **{NAME: name})

    assert table(await export(admin, **{NAME: name}))[0][NAME] == f"'{name}"
    response = await export(admin, **{NAME: name, "format": "ndjson"})
    assert json.loads(response.text)[NAME] == name


@pytest.mark.parametrize(("role", "status"), [(Role.ADMIN, 200), (Role.MODERATOR, 200), (Role.USER, 403)])
async def test_whoever_may_list_may_export(sign_in: SignIn, role: Role, status: int) -> None:
    client = await sign_in(role)

    assert (await client.get(PATH)).status_code == status
    assert (await client.get(USERS)).status_code == status


async def test_nobody_may_without_a_token(client: AsyncClient) -> None:
    assert (await client.get(PATH)).status_code == 401


@pytest.mark.parametrize(
    "query", [{"format": "xlsx"}, {"page": 2}, {"limit": 1}, {"after": "a"}, {"count": "true"}, {"unknown": 1}]
)
async def test_refuses_a_wrong_query(admin: AsyncClient, query: dict[str, Any]) -> None:
    response = await admin.get(PATH, params=query)

    assert response.status_code == 422
    assert wrong_fields(response) == list(query)


async def test_a_head_needs_no_more_than_the_beginning(settings: Settings, session: AsyncSession) -> None:
    user, exports = await create_user(session), Exports(settings)

    async def forever() -> AsyncGenerator[Sequence[User]]:
        while True:
            yield [user]
            await asyncio.sleep(0)

    async def endless() -> AppResponse:
        return exports.file("endless", UserExportQuery(), forever(), UserResponse)

    app = FastAPI()
    app.add_api_route("/endless", endless, response_class=AppResponse)
    app.add_middleware(HeadMiddleware)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        response = await client.head("/endless")

    assert response.headers["Content-Disposition"] == 'attachment; filename="endless.csv"'
    with exports.slot(), exports.slot():
        """Both are free."""


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
async def test_it_is_no_user(admin: AsyncClient, method: str) -> None:
    response = await admin.request(method, PATH)

    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD"


async def test_one_too_many_at_a_time_is_refused(admin: AsyncClient, providers: Providers, settings: Settings) -> None:
    providers.exports = Exports(settings.model_copy(update={"EXPORT_CONCURRENCY": 1}))
    with providers.exports.slot():
        response = await admin.get(PATH)
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 1
        assert detail(response) == "Too many exports are running."
        assert (await admin.get(PATH, params={"format": "xlsx"})).status_code == 422

    assert (await admin.get(PATH)).status_code == 200
    assert (await admin.get(PATH)).status_code == 200


async def test_what_takes_too_long_before_it_begins_is_an_error_like_any_other(
    admin: AsyncClient, providers: Providers, settings: Settings
) -> None:
    providers.exports = Exports(settings.model_copy(update={"EXPORT_TIMEOUT": 0.0}))

    response = await admin.get(PATH)

    assert_error(response, 503)


async def test_the_documentation_names_its_formats(app: FastAPI) -> None:
    operation = app.openapi()["paths"][PREFIX + PATH]["get"]

    assert operation["responses"]["200"]["content"] == {"text/csv": {}, "application/x-ndjson": {}}
    assert {"401", "403", "422", "500", "503"} <= operation["responses"].keys()
