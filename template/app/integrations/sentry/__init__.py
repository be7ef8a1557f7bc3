"""Unexpected errors, reported to the Sentry of `SENTRY_DSN`."""
