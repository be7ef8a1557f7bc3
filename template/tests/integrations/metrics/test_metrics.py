"""Prometheus reads the counts of all workers, whose labels no client can multiply, and which the public cannot read."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx2
import psutil
import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr, ValidationError
from sqlalchemy import event, text
from sqlalchemy.exc import DisconnectionError

from app.core.config import Settings
from app.core.database import Database, create_engine
from app.integrations.metrics.multiprocess import VARIABLE
from app.integrations.metrics.registry import exposition
from tests.api import LOGIN, ME, PREFIX, USERS
from tests.server import Server, running_server
from tests.waiting import block_until

METRICS = "http://test/metrics"
# This is greater than the ID of any process.
NO_PROCESS = 2**22
TOKEN = "0123456789abcdefghijklmnopqrstuvwxyz"
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parse(exposed: str) -> Series:
    """Returns the value of each series, by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(exposed)
        for sample in family.samples
    }


def value(series: Series, name: str, **labels: str) -> float:
    return series.get((name, frozenset(labels.items())), 0)


async def read(client: AsyncClient) -> Series:
    response = await client.get(METRICS)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parse(response.text)


async def test_a_request_is_counted_by_method_template_and_status(admin: AsyncClient) -> None:
    labels = {"method": "GET", "route": f"{PREFIX}{USERS}/" + "{user_id}", "status": "404"}
    before = await read(admin)

    start = time.perf_counter()
    for number in range(3):
        await admin.get(f"{USERS}/01900000-0000-7000-8000-00000000000{number}")
    took = time.perf_counter() - start

    after = await read(admin)
    for name in ("http_requests_total", "http_request_duration_seconds_count"):
        assert value(after, name, **labels) - value(before, name, **labels) == 3
    total = "http_request_duration_seconds_sum"
    assert 0 < value(after, total, **labels) - value(before, total, **labels) < took


async def test_a_client_cannot_add_series(client: AsyncClient) -> None:
    for method in ("GET", "BREW"):
        await client.request(method, "/nothing-here")
        await client.request(method, "/health")
    await read(client)
    before = await read(client)

    for number in range(20):
        await client.get(f"/nothing-here/{number}", headers={"Host": f"{number}.example"})
        await client.request(f"BREW{number}", f"/nothing-here/{number}")
        await client.request(f"BREW{number}", "/health")
        await client.get(f"/health?{number}")

    after = await read(client)
    assert after.keys() == before.keys()
    unknown = {"method": "GET", "route": "unknown", "status": "404"}
    assert value(after, "http_requests_total", **unknown) - value(before, "http_requests_total", **unknown) == 20


async def test_what_is_in_progress_is_known(client: AsyncClient) -> None:
    assert value(await read(client), "http_requests_in_progress") == 1  # the request that asks


def in_use() -> float:
    return value(parse(exposition().decode()), "database_connections_in_use")


async def test_connections_are_counted_while_they_are_in_use(settings: Settings) -> None:
    database = Database(settings)
    before = in_use()

    async with database.transaction() as first, database.reading() as second:
        await first.execute(text("SELECT 1"))
        await second.execute(text("SELECT 1"))
        assert in_use() == before + 2

        await (await second.connection()).invalidate()
    assert in_use() == before
    await database.close()


async def test_a_connection_that_replaces_a_closed_one_is_counted_once(settings: Settings) -> None:
    engine = create_engine(settings)
    closed = [DisconnectionError()]

    @event.listens_for(engine.sync_engine, "checkout")
    def fail_once(*_: object) -> None:
        if closed:
            raise closed.pop()

    before = in_use()
    async with engine.connect():
        assert not closed
        assert in_use() == before + 1
    assert in_use() == before
    await engine.dispose()


async def test_it_is_no_part_of_the_documented_api(app: FastAPI) -> None:
    assert "/metrics" not in app.openapi()["paths"]


def deploy(app: FastAPI, environment: str, token: str | None) -> None:
    changed = {"ENVIRONMENT": environment, "METRICS_TOKEN": SecretStr(token) if token else None}
    app.state.settings = app.state.settings.model_copy(update=changed)


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize(
    ("token", "authorization"),
    [
        (TOKEN, None),
        (TOKEN, "Bearer"),
        (TOKEN, f"Bearer {TOKEN}x"),
        (TOKEN, f"Bearer {TOKEN[:-1]}"),
        (TOKEN, TOKEN),
        (TOKEN, "Bearer ü"),
        (None, None),
        (None, "Bearer None"),
        (None, f"Bearer {TOKEN}"),
    ],
)
async def test_it_is_not_there_for_the_public(
    app: FastAPI, client: AsyncClient, environment: str, token: str | None, authorization: str | None
) -> None:
    deploy(app, environment, token)
    client.headers["X-Request-ID"] = "one"
    headers = {b"Authorization": authorization.encode()} if authorization else {}

    response = await client.get(METRICS, headers=headers)
    nothing = await client.get("http://test/nothing-here")

    assert response.status_code == 404
    assert response.json() == nothing.json()


@pytest.mark.parametrize("environment", ["staging", "production"])
async def test_who_has_the_token_may_read(app: FastAPI, client: AsyncClient, environment: str) -> None:
    deploy(app, environment, TOKEN)

    client.headers["Authorization"] = f"Bearer {TOKEN}"

    assert value(await read(client), "http_requests_in_progress") == 1


@pytest.mark.parametrize("weak", [TOKEN[:31], "changeme" * 8])
def test_a_token_that_can_be_guessed_stops_the_start(weak: str) -> None:
    with pytest.raises(ValidationError, match="METRICS_TOKEN") as stopped:
        Settings(METRICS_TOKEN=SecretStr(weak))

    assert weak not in str(stopped.value)


COUNTS = ("http_requests_total", "http_request_duration_seconds_count")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Yields a folder for the temporary files of a server, none of which may stay."""
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def server(folder: Path, database_url: str) -> Iterator[Server]:
    with running_server(database_url, WEB_CONCURRENCY="2", TMPDIR=str(folder)) as server:
        yield server


def scrape(server: Server) -> Series:
    return parse(httpx2.get(f"{server.origin}/metrics").raise_for_status().text)


def test_several_workers_count_together(server: Server, folder: Path) -> None:
    labels = {"method": "GET", "route": f"{PREFIX}{ME}", "status": "401"}
    sent = 0

    def both_have_counted() -> bool:
        nonlocal sent
        with ThreadPoolExecutor() as threads:
            statuses = {response.status_code for response in threads.map(httpx2.get, [f"{server.address}{ME}"] * 8)}
        assert statuses == {401}
        sent += 8
        return len(list(folder.glob("metrics-*/counter_*.db"))) == 2

    block_until(both_have_counted)

    def each_is_counted_once() -> bool:
        counts = [value(scrape(server), name, **labels) for name in COUNTS]
        assert max(counts) <= sent
        return min(counts) == sent

    block_until(each_is_counted_once)


def test_a_worker_that_has_just_created_its_file_is_no_error(server: Server, folder: Path) -> None:
    httpx2.get(f"{server.address}{ME}")
    [shared] = folder.glob("metrics-*")
    (shared / "counter_1.db").touch()

    # A client may get its response before the server counts the request as finished.
    block_until(lambda: value(scrape(server), "http_requests_in_progress") == 1)


def test_workers_may_forget_the_same_dead_one_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with ThreadPoolExecutor(8) as workers:
        for _ in range(30):
            for process in range(50):
                (tmp_path / f"gauge_livesum_{NO_PROCESS + process}.db").touch()
            for scraped in [workers.submit(exposition) for _ in range(8)]:
                scraped.result()

    assert list(tmp_path.iterdir()) == []


def test_workers_that_were_killed_leave_their_counts_and_nothing_in_progress(server: Server) -> None:
    labels = {"method": "GET", "route": f"{PREFIX}{ME}", "status": "401"}
    httpx2.get(f"{server.address}{ME}")
    # The response arrives a moment before it is counted.
    block_until(lambda: value(scrape(server), "http_requests_total", **labels) == 1)
    with socket.create_connection(("127.0.0.1", server.port)) as unfinished:
        unfinished.sendall(f"POST {PREFIX}{LOGIN} HTTP/1.1\r\nHost: test\r\n".encode())
        unfinished.sendall(b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\nuser")
        block_until(lambda: value(scrape(server), "http_requests_in_progress") == 2)  # this and the one that asks
        for process in psutil.Process(server.process.pid).children():
            if "spawn_main" in " ".join(process.cmdline()):
                process.kill()

    series: Series = {}

    def nothing_is_left_in_progress() -> bool:
        with suppress(httpx2.TransportError):
            series.update(scrape(server))
        return value(series, "http_requests_in_progress") == 1

    block_until(nothing_is_left_in_progress)

    assert value(series, "http_requests_total", **labels) == 1
