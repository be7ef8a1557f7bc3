"""Metrics for Prometheus: requests by route and status, their duration, connections in use, the outbox."""
