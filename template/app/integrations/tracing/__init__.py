"""Traces by OpenTelemetry, sent to the collector at `OTEL_EXPORTER_OTLP_ENDPOINT`."""
