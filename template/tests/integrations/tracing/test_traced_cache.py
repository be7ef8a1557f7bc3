"""A trace also contains the commands that are sent to the cache."""

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.api import LOGIN, credentials
from tests.integrations.receiver import receiving
from tests.server import running_server

pytest.importorskip("app.integrations.cache", reason="there is no cache to trace")


def test_commands_of_the_cache_are_spans_without_values(database_url: str) -> None:
    with receiving() as receiver:
        endpoint = f"http://{receiver.address}"
        with running_server(database_url, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, CACHE_TIMEOUT="30") as server:
            httpx2.get(f"{server.address}/health/ready")
            httpx2.post(f"{server.address}{LOGIN}", **credentials("typed@example.com", "typed one"))
        exports = [ExportTraceServiceRequest.FromString(post.body) for post in receiver.posts]

    scopes = [scope for export in exports for resource in export.resource_spans for scope in resource.scope_spans]
    of_cache = [span for scope in scopes if scope.scope.name.endswith("redis") for span in scope.spans]
    (request,) = (span for scope in scopes for span in scope.spans if span.kind == Span.SPAN_KIND_SERVER)
    assert of_cache
    assert {(span.trace_id, span.parent_span_id) for span in of_cache} == {(request.trace_id, request.span_id)}
    assert not any(b"typed" in post.body for post in receiver.posts)
