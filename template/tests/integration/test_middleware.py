import json

import pytest
from httpx2 import ASGITransport, AsyncClient
from loguru import logger

from app.core.config import Settings
from app.core.logging import configure_logging
from tests.api import PREFIX, USERS


@pytest.mark.parametrize("identifier", ["a", "A-z_0.9", "x" * 64])
async def test_a_harmless_request_id_is_kept(client: AsyncClient, identifier: str) -> None:
    response = await client.get("/health", headers={"X-Request-ID": identifier})

    assert response.headers["X-Request-ID"] == identifier


@pytest.mark.parametrize("identifier", ["", "x" * 65, "a b", "{a}", 'a"b', "ä", "a\x85b", "urn:uuid:1"])
async def test_any_other_request_id_is_replaced(client: AsyncClient, identifier: str) -> None:
    response = await client.get("/health", headers={b"X-Request-ID": identifier.encode("latin-1")})

    assert len(response.headers["X-Request-ID"]) == 32
    assert response.headers["X-Request-ID"].isalnum()


async def test_each_request_leaves_one_log_line(
    admin: AsyncClient, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(settings)
    capsys.readouterr()

    await admin.get(f"{USERS}/01900000-0000-7000-8000-000000000000?token=secret", headers={"X-Request-ID": "one"})

    (line,) = capsys.readouterr().out.splitlines()
    event = json.loads(line)
    assert (event["method"], event["route"], event["status"]) == ("GET", f"{PREFIX}{USERS}/" + "{user_id}", 404)
    assert (event["request_id"], event["level"]) == ("one", "INFO")
    assert event["duration_ms"] > 0
    assert "secret" not in line


async def test_a_sink_of_the_project_gets_the_access_lines_too(admin: AsyncClient, settings: Settings) -> None:
    configure_logging(settings)
    lines: list[str] = []
    sink = logger.add(
        lines.append, format="{message} {extra[route]} {extra[status]}", filter=lambda r: "route" in r["extra"]
    )

    await admin.get(USERS)

    logger.remove(sink)
    assert lines == [f"request {PREFIX}{USERS} 200\n"]


async def test_a_sink_that_raises_costs_nobody_the_response(client: AsyncClient, settings: Settings) -> None:
    configure_logging(settings)

    def fail(_: object) -> None:
        raise OSError

    sink = logger.add(fail, catch=False)
    response = await client.get("/health")
    logger.remove(sink)

    assert response.status_code == 200


async def test_an_allowed_origin_may_call(client: AsyncClient) -> None:
    preflight = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "PATCH"}

    response = await client.options(USERS, headers=preflight)

    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "PATCH" in response.headers["Access-Control-Allow-Methods"]


async def test_another_origin_is_told_nothing(client: AsyncClient) -> None:
    response = await client.get("/health", headers={"Origin": "https://evil.example"})

    assert "Access-Control-Allow-Origin" not in response.headers
    assert response.headers["Vary"] == "Origin"


async def test_without_allowed_origins_there_is_nothing_for_browsers_elsewhere(settings: Settings) -> None:
    from app.main import create_app  # noqa: PLC0415 (makes an application at import, from the settings of the tests)

    app = create_app(settings.model_copy(update={"CORS_ORIGINS": []}))
    async with AsyncClient(transport=ASGITransport(app), base_url=f"http://test{PREFIX}") as client:
        headers = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "GET"}
        preflight = await client.options("/health", headers=headers)
        response = await client.get("/health", headers=headers)

    assert preflight.status_code == 405
    assert not {"Access-Control-Allow-Origin", "Vary"} & set(map(str.title, response.headers))
