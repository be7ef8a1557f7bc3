"""Sentry receives unexpected errors, without anything that was sent with the request."""

import json
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
import sentry_sdk
from loguru import logger
from pydantic import SecretStr, ValidationError

from app.core.config import DISTRIBUTION, Settings
from app.core.logging import configure_logging
from app.integrations.sentry.client import start_sentry, stop_sentry
from scripts.ports import free_port
from tests import database as database_server
from tests.api import LOGIN, PREFIX, credentials
from tests.integrations.receiver import Receiver, receiving
from tests.server import running_server

CREDENTIALS = {"email": "typed@example.com", "password": "typed password"}


def events(receiver: Receiver) -> list[dict[str, Any]]:
    """Returns the events. An envelope is lines of JSON: its own head, then the head and the content of each item."""
    found = []
    for post in receiver.posts:
        assert post.path == "/api/7/envelope/"
        _, *lines = map(json.loads, post.body.splitlines())
        found += [content for head, content in zip(lines[::2], lines[1::2], strict=True) if head["type"] == "event"]
    return found


@pytest.fixture
async def empty_database_url(anyio_backend: str, worker_id: str) -> AsyncIterator[str]:
    """Yields the URL of a database without tables, where every statement fails."""
    url = await database_server.create(f"{worker_id}_empty")
    yield url
    await database_server.drop(url)


def test_an_unforeseen_error_arrives_without_what_was_sent(empty_database_url: str) -> None:
    with receiving() as receiver:
        with running_server(empty_database_url, SENTRY_DSN=f"http://key@{receiver.address}/7") as server:
            response = httpx2.post(
                f"{server.address}{LOGIN}?typed=query",
                **credentials(**CREDENTIALS),
                headers={"Authorization": "Bearer typed", "Cookie": "typed=1", "X-Request-ID": "one"},
            )
        (event,) = events(receiver)

    assert response.status_code == 500
    *_, error = event["exception"]["values"]
    assert error["module"] == "sqlalchemy.exc"
    assert error["type"] in {"ProgrammingError", "OperationalError"}
    assert any(frame["module"] == "app.service.auth_service" for frame in error["stacktrace"]["frames"])
    assert event["release"].startswith(f"{DISTRIBUTION}@")
    assert event["environment"] == "test"
    assert event["tags"].items() >= {"request_id": "one", "method": "POST", "route": f"{PREFIX}{LOGIN}"}.items()
    assert not any(b"typed" in post.body for post in receiver.posts)


def test_refusals_and_outages_are_not_reported(database_url: str) -> None:
    with receiving() as receiver:
        settings = {"SENTRY_DSN": f"http://key@{receiver.address}/7"}
        with running_server(database_url, **settings) as server:
            assert httpx2.post(f"{server.address}{LOGIN}", **credentials(**CREDENTIALS)).status_code == 401
            assert httpx2.post(f"{server.address}{LOGIN}", data={}).status_code == 422
            assert httpx2.get(f"{server.address}/nothing-here").status_code == 404
        with running_server(database_server.unreachable(), **settings) as server:
            assert httpx2.post(f"{server.address}{LOGIN}", **credentials(**CREDENTIALS)).status_code == 503

    assert receiver.posts == []


def test_without_a_dsn_it_is_off() -> None:
    start_sentry(Settings())

    assert not sentry_sdk.is_initialized()


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    """Yields a receiver of the errors of this process."""
    configure_logging(settings)
    with receiving() as receiver:
        start_sentry(settings.model_copy(update={"SENTRY_DSN": SecretStr(f"http://key@{receiver.address}/7")}))
        yield receiver
    configure_logging(settings)
    sentry_sdk.get_global_scope().set_client(None)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("no template for 'typed@example.com' here", "no template for '[withheld]' here"),
        ("refused (Authorization: Bearer typed)", "refused (Authorization: [withheld]"),
        ("bad token eyJhbGciOiJub25lIn0.eyJ0eXBlZCI6MX0.typed", "bad token [withheld]"),
        ("42 is not the answer", "42 is not the answer"),
    ],
)
def test_the_words_of_an_error_are_told_without_addresses_and_tokens(receiver: Receiver, said: str, told: str) -> None:
    def fail(password: str) -> None:
        assert password
        raise RuntimeError(said)

    try:
        fail("typed password")
    except RuntimeError:
        logger.exception("failed")
    stop_sentry()

    (event,) = events(receiver)
    assert [(error["type"], error["value"]) for error in event["exception"]["values"]] == [("RuntimeError", told)]
    assert not any("vars" in frame for frame in event["exception"]["values"][0]["stacktrace"]["frames"])


def test_a_receiver_that_is_away_or_stuck_breaks_nothing(empty_database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stuck:  # accepts connections, and never responds
        for port in (free_port(), stuck.getsockname()[1]):
            with running_server(empty_database_url, SENTRY_DSN=f"http://key@127.0.0.1:{port}/7") as server:
                for _ in range(5):
                    assert httpx2.post(f"{server.address}{LOGIN}", **credentials(**CREDENTIALS)).status_code == 500
            assert server.process.returncode == 0  # in time, too


@pytest.mark.parametrize("wrong", ["typed", "https://typed/1", "https://typed@host", "https://key@host:typed/1"])
def test_a_wrong_dsn_stops_the_start_by_name(wrong: str) -> None:
    with pytest.raises(ValidationError, match="SENTRY_DSN") as stopped:
        Settings(SENTRY_DSN=SecretStr(wrong))

    assert "typed" not in str(stopped.value)
