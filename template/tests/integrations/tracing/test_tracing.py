"""The collector receives the trace of a request, without any submitted value."""

import json
import socket
from collections.abc import AsyncIterator, Iterable

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span
from pydantic import SecretStr, ValidationError

from app.core.config import DISTRIBUTION, Settings
from scripts.ports import free_port
from tests import database as database_server
from tests.api import LOGIN, ME, PREFIX, credentials
from tests.integrations.receiver import Receiver, receiving
from tests.server import running_server

DATABASES = {"postgresql", "sqlite"}
CREDENTIALS = {"email": "typed@example.com", "password": "typed password"}


def resources(receiver: Receiver) -> list[ResourceSpans]:
    assert {post.path for post in receiver.posts} <= {"/v1/traces"}
    exports = [ExportTraceServiceRequest.FromString(post.body) for post in receiver.posts]
    return [resource for export in exports for resource in export.resource_spans]


def spans(receiver: Receiver) -> list[Span]:
    return [span for resource in resources(receiver) for scope in resource.scope_spans for span in scope.spans]


def attributes(pairs: Iterable[KeyValue]) -> dict[str, object]:
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in pairs}


def access_line(output: str, route: str) -> dict[str, object]:
    lines: list[dict[str, object]] = [json.loads(line) for line in output.splitlines()]
    (line,) = (line for line in lines if line.get("route") == route)
    return line


def test_a_request_is_a_trace_with_its_statements_and_its_log_lines(
    database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with receiving() as receiver:
        with running_server(database_url, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{receiver.address}") as server:
            httpx2.post(f"{server.address}{LOGIN}?typed=query", **credentials(**CREDENTIALS))
        # The remaining spans were sent at the end.
        sent = spans(receiver)
        (request,) = (span for span in sent if span.kind == Span.SPAN_KIND_SERVER)
        statements = [span for span in sent if attributes(span.attributes).get("db.system.name") in DATABASES]
        (resource, *_) = resources(receiver)

    assert request.name == f"POST {PREFIX}{LOGIN}"
    assert attributes(request.attributes).items() >= {"http.response.status_code": 401, "url.query": "REDACTED"}.items()
    assert statements
    for statement in statements:
        assert statement.kind == Span.SPAN_KIND_CLIENT
        assert (statement.trace_id, statement.parent_span_id) == (request.trace_id, request.span_id)
        assert statement.name in {"SELECT", "BEGIN"}
    assert "FROM users" in str(attributes(statements[-1].attributes)["db.query.text"])
    about = attributes(resource.resource.attributes)
    assert (about["service.name"], about["deployment.environment.name"]) == (DISTRIBUTION, "test")
    assert not any(b"typed" in post.body for post in receiver.posts)
    line = access_line(capfd.readouterr().out, f"{PREFIX}{LOGIN}")
    assert (line["trace_id"], line["span_id"]) == (request.trace_id.hex(), request.span_id.hex())


def test_the_callers_trace_goes_on(database_url: str) -> None:
    with receiving() as receiver:
        with running_server(database_url, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{receiver.address}/") as server:
            httpx2.get(f"{server.address}{ME}", headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
        (request,) = spans(receiver)

    assert (request.trace_id.hex(), request.parent_span_id.hex()) == ("a" * 32, "b" * 16)


def test_health_and_metrics_are_no_traces(database_url: str) -> None:
    with receiving() as receiver:
        with running_server(database_url, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{receiver.address}") as server:
            for path in ("/health", "/health/ready"):
                httpx2.get(f"{server.address}{path}").raise_for_status()
            httpx2.get(f"{server.origin}/metrics")
            httpx2.get(f"{server.address}/nothing-here")

        assert [span.name for span in spans(receiver)] == ["GET"]


@pytest.fixture
async def empty_database_url(anyio_backend: str, worker_id: str) -> AsyncIterator[str]:
    """Yields the URL of a database without tables."""
    url = await database_server.create(f"{worker_id}_empty")
    yield url
    await database_server.drop(url)


def test_a_statement_that_fails_says_so(empty_database_url: str) -> None:
    with receiving() as receiver:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{receiver.address}"}
        with running_server(empty_database_url, **settings) as server:
            assert httpx2.post(f"{server.address}{LOGIN}", **credentials(**CREDENTIALS)).status_code == 500
        failed = {span.kind: span for span in spans(receiver) if span.status.code == span.status.STATUS_CODE_ERROR}

    assert failed.keys() == {Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT}
    assert all(attributes(span.attributes)["error.type"] for span in failed.values())
    assert not any(b"typed" in post.body for post in receiver.posts)


def test_the_settings_say_as_whom_and_how_often(database_url: str) -> None:
    settings = {"OTEL_SERVICE_NAME": "other", "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20secret,x-team=a"}
    with receiving() as receiver:
        settings |= {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{receiver.address}"}
        with running_server(database_url, **settings) as server:
            httpx2.get(f"{server.address}{ME}")
        with running_server(database_url, **settings, OTEL_TRACES_SAMPLER_ARG="0") as server:
            httpx2.get(f"{server.address}{ME}")

        (resource,) = resources(receiver)
        (post,) = receiver.posts
    assert attributes(resource.resource.attributes)["service.name"] == "other"
    assert (post.headers["Authorization"], post.headers["X-Team"]) == ("Bearer secret", "a")


def test_without_a_collector_nothing_is_traced(database_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    with running_server(database_url) as server:
        httpx2.get(f"{server.address}{ME}")

    assert "trace_id" not in capfd.readouterr().out


def test_a_collector_that_is_away_or_stuck_breaks_nothing(database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stuck:  # accepts connections, and never responds
        for port in (free_port(), stuck.getsockname()[1]):
            endpoint = f"http://127.0.0.1:{port}"
            with running_server(
                database_url, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_BSP_SCHEDULE_DELAY="1"
            ) as server:
                for _ in range(20):
                    assert httpx2.post(f"{server.address}{LOGIN}", data={}).status_code == 422
            assert server.process.returncode == 0  # in time, too


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", SecretStr("typed")),
        ("OTEL_SERVICE_NAME", ""),
        ("OTEL_TRACES_SAMPLER_ARG", 1.1),
    ],
)
def test_a_wrong_setting_stops_the_start_by_name(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name) as stopped:
        Settings(**{name: value})  # type: ignore[arg-type]

    assert "typed" not in str(stopped.value)
