"""Behind a proxy that shows the application under `/shop`, whether it passes that on or takes it off."""

import re
from collections.abc import AsyncIterator

import httpx2
import pytest
from httpx2 import ASGITransport, AsyncClient

from app.api.deps import Providers
from app.core.config import Settings
from tests.server import running_server


@pytest.fixture(params=["", "/shop"], ids=["taken off", "passed on"])
async def shop(
    admin: AsyncClient, settings: Settings, providers: Providers, request: pytest.FixtureRequest
) -> AsyncIterator[AsyncClient]:
    from app.main import create_app  # noqa: PLC0415 (makes an application at import, from the settings of the tests)

    app = create_app(settings.model_copy(update={"ROOT_PATH": "/shop"}))
    app.state.providers = providers
    headers = {"Authorization": admin.headers["Authorization"]}
    async with AsyncClient(
        transport=ASGITransport(app), base_url=f"http://test{request.param}", headers=headers
    ) as client:
        yield client


async def test_the_documentation_points_inside(shop: AsyncClient) -> None:
    page = (await shop.get("/docs")).text
    schema = (await shop.get("/openapi.json")).json()

    assert set(re.findall(r"['\" ](/[^'\"]*)['\"]", page)) == {"/shop/openapi.json", "/shop/docs/oauth2-redirect"}
    assert schema["servers"] == [{"url": "/shop"}]


async def test_a_location_is_where_the_client_finds_it(shop: AsyncClient) -> None:
    user = {"email": "ada@example.com", "password": "correct horse battery", "full_name": "Ada"}

    location = (await shop.post("/api/v1/users", json=user)).headers["Location"]

    assert location.startswith("/shop/api/v1/users/")
    assert (await shop.get(f"http://test{location}")).json()["email"] == "ada@example.com"


@pytest.mark.parametrize("path", ["/shop", "/shopping", "/api/v1/nothing"])
async def test_what_is_not_there_is_not_found(shop: AsyncClient, path: str) -> None:
    assert (await shop.get(path)).status_code == 404


async def test_another_method_names_those_of_the_path(shop: AsyncClient) -> None:
    assert (await shop.put("/api/v1/users")).headers["Allow"] == "GET, HEAD, POST"


def test_tokens_are_asked_for_inside(database_url: str) -> None:
    with running_server(database_url, ROOT_PATH="/shop/") as server:
        address = server.address.removesuffix("/api/v1")
        schemes = httpx2.get(f"{address}/shop/openapi.json").json()["components"]["securitySchemes"]

    (scheme,) = schemes.values()
    assert scheme["flows"]["password"]["tokenUrl"] == "/shop/api/v1/auth/login"
