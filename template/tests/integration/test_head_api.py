"""A `HEAD` responds like a `GET` without the body, on every path."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import StreamingResponse
from httpx2 import ASGITransport, AsyncClient
from starlette.routing import Route

from app.core.config import Settings
from app.core.logging import configure_logging
from app.middleware.head import HeadMiddleware
from tests.api import ME, PREFIX, USERS
from tests.server import running_server

OF_A_REQUEST = {"x-request-id", "date"}


@pytest.mark.parametrize(
    "path", ["/health", "/health/ready", ME, f"{USERS}?limit=1", f"{USERS}/export", f"{USERS}/none", "/nothing"]
)
async def test_a_head_is_that_of_a_get(admin: AsyncClient, path: str) -> None:
    get = await admin.get(path)
    head = await admin.head(path)

    assert head.status_code == get.status_code
    assert {name: value for name, value in head.headers.items() if name not in OF_A_REQUEST} == {
        name: value for name, value in get.headers.items() if name not in OF_A_REQUEST
    }
    assert head.content == b"" or get.status_code == 404


async def test_a_head_asks_who_calls(client: AsyncClient) -> None:
    assert (await client.head(ME)).status_code == 401


def paths(app: FastAPI) -> list[str]:
    return [path for path, operations in app.openapi()["paths"].items() if "get" in operations]


async def test_every_path_that_has_a_get_has_a_head(app: FastAPI, client: AsyncClient) -> None:
    for path in paths(app):
        response = await client.head(f"http://test{path}")
        assert response.status_code != 405, path


async def test_the_log_has_its_method_and_its_route(
    client: AsyncClient, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(settings)
    capsys.readouterr()

    await client.head("/health")

    event = json.loads(capsys.readouterr().out)
    assert (event["method"], event["route"], event["status"]) == ("HEAD", f"{PREFIX}/health", 200)


async def test_routes_of_any_router_may_have_a_head_of_their_own() -> None:
    router = APIRouter()

    @router.get("/own")
    async def get_own() -> str:
        return "get"

    @router.head("/own")
    async def head_own(response: Response) -> None:
        response.headers["X-Own"] = "head"

    @router.get("/endless")
    async def endless() -> StreamingResponse:
        async def forever() -> AsyncIterator[bytes]:
            while True:
                yield b"."
                await asyncio.sleep(0)

        return StreamingResponse(forever())

    async def plain(_: object) -> Response:
        return Response("plain")

    app = FastAPI(routes=[Route("/plain", plain)])
    app.include_router(router, prefix="/a")
    app.add_middleware(HeadMiddleware)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        assert (await client.head("/a/own")).headers["X-Own"] == "head"
        assert (await client.head("/plain")).headers["Content-Length"] == "5"
        assert (await client.head("/a/endless")).content == b""


def test_a_server_keeps_the_connection(database_url: str) -> None:
    with running_server(database_url) as server, httpx2.Client(base_url=server.address) as client:
        for _ in range(2):
            response = client.head("/health")
            assert int(response.headers["Content-Length"]) > 0
            assert client.get("/health").json()["status"] == "healthy"


async def test_another_origin_that_may_get_may_head(client: AsyncClient) -> None:
    headers = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "HEAD"}

    response = await client.options(USERS, headers=headers | {"Access-Control-Request-Headers": "Authorization"})

    assert response.status_code == 200
