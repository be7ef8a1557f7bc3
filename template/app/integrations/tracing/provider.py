"""Traces, by OpenTelemetry: each request, with the calls to database and cache that it waited for.

A collector that is slow or unavailable delays no request: spans wait in a bounded queue, from which a thread sends
them, and are dropped if the queue is full.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from threading import Thread
from typing import override

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.re import parse_env_headers
from opentelemetry.util.types import Attributes

from app.core.config import DISTRIBUTION, Settings
from app.core.logging import CONTEXT
from app.integrations.tracing.statements import trace_statements

# How long the process waits at its end for the collector to take the remaining spans, in seconds.
FLUSH_TIMEOUT = 3.0


def start_tracing(settings: Settings) -> None:
    """Traces this process if there is a collector: its requests, statements and calls of other services."""
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT is None:
        return
    trace.set_tracer_provider(_provider(settings, f"{settings.OTEL_EXPORTER_OTLP_ENDPOINT}".removesuffix("/")))
    trace_statements()
    # Other libraries are traced by the instrumentation that is installed for them.
    for instrumentor in entry_points(group="opentelemetry_instrumentor"):
        instrumentor.load()().instrument()
    if _trace_fields not in CONTEXT:
        CONTEXT.append(_trace_fields)


def stop_tracing() -> None:
    """Sends the remaining spans, as far as the collector takes them in time."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        shutdown = Thread(target=provider.shutdown, daemon=True)
        shutdown.start()
        shutdown.join(FLUSH_TIMEOUT)


def _provider(settings: Settings, endpoint: str) -> TracerProvider:
    attributes = {
        "service.name": settings.OTEL_SERVICE_NAME or DISTRIBUTION,
        "service.version": settings.VERSION,
        "deployment.environment.name": settings.ENVIRONMENT,
    }
    provider = TracerProvider(
        ParentBased(_Sampler(settings.OTEL_TRACES_SAMPLER_ARG)), Resource.create(attributes), shutdown_on_exit=False
    )
    headers = parse_env_headers(settings.OTEL_EXPORTER_OTLP_HEADERS.get_secret_value(), liberal=True)
    provider.add_span_processor(_QueryRemover())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces", headers=headers)))
    return provider


class _Sampler(TraceIdRatioBased):
    """Begins no trace with a call to another service: those of the readiness check belong to no traced request."""

    @override
    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        if kind is SpanKind.CLIENT:
            return SamplingResult(Decision.DROP)
        return super().should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)


class _QueryRemover(SpanProcessor):
    """Removes query strings, since they hold what somebody typed."""

    @override
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if span.attributes and "url.query" in span.attributes:
            span.set_attribute("url.query", "REDACTED")


def _trace_fields() -> Mapping[str, object]:
    """Returns the IDs of the trace and the span that a line of the log belongs to."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": trace.format_trace_id(context.trace_id), "span_id": trace.format_span_id(context.span_id)}
