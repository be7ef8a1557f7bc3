"""The environment of the tests and of every process that they start, which nothing of a developer's leaks into."""

import os

# Clients of our own servers would ask them.
PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}

# What libraries read for themselves: asyncpg, OpenTelemetry, Sentry and Uvicorn.
PREFIXES = ("PG", "OTEL_", "SENTRY_", "UVICORN_")


def clean_environment() -> None:
    """Names of settings may be written in lower case as well."""
    os.environ |= {"ENV_FILE": os.devnull, "SECRETS_DIRECTORY": os.devnull}
    from app.core.config import Settings  # noqa: PLC0415 (the module reads ENV_FILE and SECRETS_DIRECTORY when it is imported)

    for name in list(os.environ):
        if name.upper() in Settings.model_fields or name.upper() in PROXIES or name.startswith(PREFIXES):
            del os.environ[name]
    os.environ["ENVIRONMENT"] = "test"
