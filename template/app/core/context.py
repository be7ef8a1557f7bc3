"""What the code that serves one request may know of it anywhere, without it being passed along."""

from contextvars import ContextVar

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
