"""The application works behind a proxy that serves it under `/shop`, whether the proxy keeps or strips that path."""

import re
from collections.abc import AsyncIterator

import httpx2
import pytest
from httpx2 import ASGITransport, AsyncClient

from app.api.deps import Providers
from app.core.config import Settings
from tests.api import LOGIN, PREFIX, USERS
from tests.factories.user_factory import user_fields
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
    created = await shop.post(f"{PREFIX}{USERS}", json=user_fields())

    location = created.headers["Location"]
    assert location.startswith(f"/shop{PREFIX}{USERS}/")
    assert (await shop.get(f"http://test{location}")).json() == created.json()


@pytest.mark.parametrize("path", ["/shop", "/shopping", f"{PREFIX}/nothing"])
async def test_what_is_not_there_is_not_found(shop: AsyncClient, path: str) -> None:
    assert (await shop.get(path)).status_code == 404


async def test_another_method_names_those_of_the_path(shop: AsyncClient) -> None:
    assert (await shop.put(f"{PREFIX}{USERS}")).headers["Allow"] == "GET, HEAD, POST"


def test_tokens_are_asked_for_inside(database_url: str) -> None:
    with running_server(database_url, ROOT_PATH="/shop/") as server:
        schema = httpx2.get(f"{server.origin}/shop/openapi.json").text

    # Not every way of signing in has a token URL.
    assert set(re.findall(r'"tokenUrl":"([^"]*)"', schema)) <= {f"/shop{PREFIX}{LOGIN}"}
