"""A request that may be sent again: `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header).

What it got is stored in its own transaction, and is what it gets again, to the same caller, method and path.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, MutableSet
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.deps import settings_of
from app.domain.models.base import utc_now
from app.repository.stored_response_repository import StoredResponseRepository, still_running

HEADER = "Idempotency-Key"
MAXIMUM_LENGTH = 255

# A string of RFC 9651 (3.3.3), as the draft demands, or the same without quotes, as most clients send it.
_QUOTED = r'"((?:[ !#-\[\]-~]|\\["\\])+)"'
_BARE = r"([!#-+\--:<-\[\]-~]+)"
PATTERN = f"^({_QUOTED}|{_BARE})$"
_KEY = re.compile(f"{_QUOTED}|{_BARE}")


class RepeatedRequestError(Exception):
    """Ends a request that came before, with the response that it got then."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        super().__init__()
        self.response = Response(body, status, headers, media_type="application/json")


async def answer_again(_: Request, error: Exception) -> Response:
    """Sends the response that was stored for the first request with this key."""
    assert isinstance(error, RepeatedRequestError)
    return error.response


class Repeatable:
    """One request with a key. `session` must be the one of the request."""

    def __init__(self, request: Request, session: AsyncSession, caller: UUID, key: str, body: bytes) -> None:
        settings = settings_of(request)
        self._keys = settings.signing_keys
        self._lifetime = timedelta(hours=settings.IDEMPOTENCY_KEY_HOURS)
        self._responses = StoredResponseRepository(session)
        self._body = body
        name = "\0".join((str(caller), request.method, request.scope["path"], request.url.query, key))
        self.id = hashlib.sha256(name.encode()).hexdigest()

    @contextmanager
    def running(self, running: MutableSet[str]) -> Iterator[None]:
        """A block that only one request with this key is in. Raises ConflictError for another one."""
        if self.id in running:
            raise still_running()
        running.add(self.id)
        try:
            yield
        finally:
            running.remove(self.id)

    async def claim(self) -> None:
        """Has the transaction begin by taking the key.

        Its first statement raises RepeatedRequestError or ConflictError, or this does if the transaction has begun.
        """
        expires_at = utc_now() + self._lifetime
        await self._responses.claim(self.id, self._fingerprint(self._keys[0]), expires_at, self._answer)

    async def keep(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Stores the response: it is there if what it tells of is."""
        await self._responses.keep(self.id, status, headers, body)

    def _answer(self, stored: Row[str, int, dict[str, str], bytes]) -> None:
        fingerprint, status, headers, body = stored
        if not any(hmac.compare_digest(self._fingerprint(key), fingerprint) for key in self._keys):
            raise invalid("idempotency_body", "This key came with another body before")
        raise RepeatedRequestError(status, headers, body)

    def _fingerprint(self, key: bytes) -> str:
        # The same keys sign access tokens and cursors, whose text begins otherwise.
        return hmac.digest(key, b"\0".join((b"idempotency", self.id.encode(), self._body)), "sha256").hex()


def key_of(request: Request) -> str | None:
    """The key of a request, without quotes. Raises RequestValidationError if it is not one."""
    values = request.headers.getlist(HEADER)
    if not values:
        return None
    match = _KEY.fullmatch(values[0]) if len(values) == 1 and len(values[0]) <= MAXIMUM_LENGTH else None
    if match is None:
        raise invalid("idempotency_key", f"Must be one string of 1 to {MAXIMUM_LENGTH} printable characters of ASCII")
    quoted, bare = match.groups()
    return bare or re.sub(r"\\(.)", r"\1", quoted)


def invalid(kind: str, message: str) -> RequestValidationError:
    """Returns the error for a header that is not a valid key."""
    return RequestValidationError([{"loc": ("header", HEADER), "type": kind, "msg": message, "input": None}])
