"""Facts about the current request that any code that serves it can read, without having them passed along."""

from contextvars import ContextVar

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
