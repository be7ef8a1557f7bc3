"""A route may ask who the caller is without requiring a token."""

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from app.api.deps import CurrentUser, OptionalUser
from app.api.errors import errors
from app.core.config import Settings
from tests.api import PREFIX
from tests.errors import assert_error


@pytest.fixture(scope="session")
def application(settings: Settings) -> FastAPI:
    from app.main import create_app  # noqa: PLC0415 (makes an application at import, from the settings of the tests)

    app = create_app(settings)

    @app.get(f"{PREFIX}/greeting", responses=errors(401))
    async def greet(user: OptionalUser) -> str:
        return user.role if user else "stranger"

    @app.get(f"{PREFIX}/both", responses=errors(401))
    async def need(_: CurrentUser, user: OptionalUser) -> bool:
        return user is not None

    return app


async def test_nobody_is_let_in_as_nobody(client: AsyncClient) -> None:
    assert (await client.get("/greeting")).json() == "stranger"


async def test_whoever_sends_a_token_is_known(admin: AsyncClient) -> None:
    assert (await admin.get("/greeting")).json() == "admin"


async def test_a_token_that_is_not_valid_is_refused(client: AsyncClient) -> None:
    assert_error(await client.get("/greeting", headers={"Authorization": "Bearer x"}), 401)


async def test_the_documentation_says_that_a_token_is_taken_and_not_needed(app: FastAPI) -> None:
    for _ in range(2):  # the second time, from the cached document
        paths = app.openapi()["paths"]
        (token, nothing) = paths[f"{PREFIX}/greeting"]["get"]["security"]

        assert token != {}
        assert nothing == {}
        assert paths[f"{PREFIX}/both"]["get"]["security"] == [token]
