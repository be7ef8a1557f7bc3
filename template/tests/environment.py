"""Keeps the developer's settings out of the environment of the tests and of every process that they start."""

import os

# Clients would send even the requests to our own servers through these proxies.
PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}

# Variables that libraries read by themselves: asyncpg, OpenTelemetry, Sentry and Uvicorn.
PREFIXES = ("PG", "OTEL_", "SENTRY_", "UVICORN_")


def clean_environment() -> None:
    """Removes all settings. Their names may be written in lower case as well."""
    os.environ |= {"ENV_FILE": os.devnull, "SECRETS_DIRECTORY": os.devnull}
    from app.core.config import Settings  # noqa: PLC0415 (the module reads ENV_FILE and SECRETS_DIRECTORY when it is imported)

    for name in list(os.environ):
        if name.upper() in Settings.model_fields or name.upper() in PROXIES or name.startswith(PREFIXES):
            del os.environ[name]
    os.environ["ENVIRONMENT"] = "test"
