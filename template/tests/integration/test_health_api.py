from fastapi import FastAPI
from httpx2 import AsyncClient
from pydantic import SecretStr

from app.core.config import Settings
from app.core.database import Database
from tests.database import unreachable
from tests.errors import detail


async def test_liveness_tells_version_and_environment(client: AsyncClient, settings: Settings) -> None:
    response = await client.get("/health")

    assert response.status_code == 200
    assert response.json() == {"status": "healthy", "version": settings.VERSION, "environment": "test"}


async def test_ready_when_the_database_answers(client: AsyncClient) -> None:
    response = await client.get("/health/ready")

    assert response.status_code == 200
    assert response.json() == {"status": "ready", "checks": {"database": "ok"}}


async def test_alive_but_not_ready_without_a_database(client: AsyncClient, app: FastAPI, settings: Settings) -> None:
    app.state.providers.database = Database(settings.model_copy(update={"DATABASE_URL": SecretStr(unreachable())}))

    response = await client.get("/health/ready")

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert detail(response) == {"database": "unavailable"}
    assert (await client.get("/health")).status_code == 200
