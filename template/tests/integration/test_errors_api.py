"""Every refusal has the same format, an ID and the CORS headers, and repeats nothing that was sent."""

import json
from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import FastAPI, HTTPException
from httpx2 import AsyncClient
from sqlalchemy import text

from app.core.config import Settings
from app.core.database import Database
from tests.api import LOGIN, ME, PREFIX, USERS
from tests.errors import assert_error
from tests.factories.user_factory import NAME, user_fields

SECRET = "do-not-repeat-me"
ORIGIN = {"Origin": "https://app.example.com"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="session")
def application(settings: Settings) -> FastAPI:
    from app.main import create_app  # noqa: PLC0415 (makes an application at import, from the settings of the tests)

    app = create_app(settings)

    @app.get(f"{PREFIX}/broken")
    async def broken() -> None:
        raise RuntimeError(SECRET)

    @app.get(PREFIX + "/refused/{status}")
    async def refused(status: int, after: str | None = None) -> None:
        own = {"retry-after": after} if after else {}
        raise HTTPException(status, headers=own | {"X-Reason": "a test"})

    return app


@pytest.fixture
def client(admin: AsyncClient) -> AsyncClient:
    return admin


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing-here", 404),
        ("GET", f"{USERS}/", 404),
        ("GET", f"/{USERS}", 404),
        ("GET", f"{USERS}/01900000-0000-7000-8000-000000000000", 404),
        ("DELETE", USERS, 405),
        ("GET", f"{USERS}?page=0", 422),
        ("GET", "/broken", 500),
    ],
)
async def test_form(client: AsyncClient, method: str, path: str, status: int) -> None:
    response = await client.request(method, f"http://test{PREFIX}{path}", headers=ORIGIN | {"X-Request-ID": "abc-1"})

    assert_error(response, status)
    assert response.headers["X-Request-ID"] == "abc-1"
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN["Origin"]
    assert SECRET not in response.text
    assert "Traceback" not in response.text


@pytest.mark.parametrize(("status", "retry_after"), [(429, "1"), (503, "1"), (409, None)])
async def test_who_is_to_come_back_is_told_when(client: AsyncClient, status: int, retry_after: str | None) -> None:
    response = await client.get(f"/refused/{status}")

    assert_error(response, status)
    assert response.headers.get("Retry-After") == retry_after


async def test_who_knows_when_to_come_back_says_so(client: AsyncClient) -> None:
    assert (await client.get("/refused/429?after=30")).headers.get_list("Retry-After") == ["30"]


async def test_a_status_that_has_no_body_gets_none(client: AsyncClient) -> None:
    response = await client.get("/refused/304")

    assert (response.status_code, response.content, response.headers["X-Reason"]) == (304, b"", "a test")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (USERS, "GET, HEAD, POST"),
        (ME, "GET, HEAD, PATCH"),
        (f"{USERS}/01900000-0000-7000-8000-000000000000", "DELETE, GET, HEAD, PATCH"),
        ("/health", "GET, HEAD"),
        (LOGIN, "POST"),
    ],
)
async def test_405_names_all_methods_of_the_path(client: AsyncClient, path: str, allowed: str) -> None:
    for method in {"PUT", "DELETE", "HEAD", "OPTIONS"} - set(allowed.split(", ")):
        response = await client.request(method, path)

        assert response.status_code == 405
        assert response.headers["Allow"] == allowed


def bodies() -> Iterator[tuple[str, bytes]]:
    user = user_fields(password=SECRET)
    yield "nan", json.dumps(user | {NAME: float("nan")}).encode()
    yield "infinity", json.dumps(user | {"role": float("inf")}).encode()
    yield "huge number", json.dumps(user | {"email": 0}).replace('"email": 0', '"email": 1e999').encode()
    yield "surrogate as value", json.dumps(user | {NAME: "\ud800"}).encode()
    yield "surrogate as key", json.dumps(user | {"\ud800": 1}).encode()
    yield "nul", json.dumps(user | {NAME: "\0"}).encode()
    yield "unknown field", json.dumps(user | {"admin": SECRET}).encode()
    yield "deep", b'{"email":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    yield "no object", json.dumps([SECRET]).encode()
    yield "no json", SECRET.encode()
    yield "no utf-8", b'{"email": "\xff"}'
    yield "empty", b""
    yield "many faults", json.dumps({f"{SECRET}{number}": 1 for number in range(1000)}).encode()


@pytest.mark.parametrize(("name", "body"), list(bodies()), ids=[name for name, _ in bodies()])
async def test_a_hostile_body_is_refused_without_an_echo(client: AsyncClient, name: str, body: bytes) -> None:
    response = await client.post(USERS, content=body, headers=JSON)

    assert 400 <= response.status_code < 500
    assert_error(response, response.status_code)
    assert len(response.content) < 10_000
    if name != "many faults":  # a 422 names fields, which are part of the body
        assert SECRET not in response.text


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
async def test_another_content_type_is_refused(client: AsyncClient, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}

    response = await client.post(USERS, content=b'{"email": "ada@example.com"}', headers=headers)

    assert_error(response, 422)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_413(client: AsyncClient, app: FastAPI, chunked: bool) -> None:
    limit = app.state.settings.MAX_BODY_SIZE

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(limit // 65_536 + 1):
            yield b" " * 65_536

    response = await client.post(USERS, content=chunks() if chunked else b" " * (limit + 1), headers=JSON)

    assert_error(response, 413)


async def test_an_error_of_the_database_that_is_ours_is_a_500(client: AsyncClient, database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("ALTER TABLE users RENAME TO away"))

        response = await client.get(USERS)

    assert_error(response, 500)
    assert "users" not in response.text
