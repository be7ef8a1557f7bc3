"""Makes a request repeatable: `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header).

The response is stored in the transaction of the request, and a repetition by the same caller, with the same method and
path, gets it again.
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
    """Ends a repeated request with the response that the first one got."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        super().__init__()
        self.response = Response(body, status, headers, media_type="application/json")


async def answer_again(_: Request, error: Exception) -> Response:
    """Sends the response that was stored for the first request with this key."""
    assert isinstance(error, RepeatedRequestError)
    return error.response


class Repeatable:
    """One request with a key. `session` must be the session of the request."""

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
        """Lets only one request with this key into the block at a time. Raises ConflictError for any other."""
        if self.id in running:
            raise still_running()
        running.add(self.id)
        try:
            yield
        finally:
            running.remove(self.id)

    async def claim(self) -> None:
        """Makes the transaction begin by claiming the key.

        If the key is taken, the first statement of the transaction raises RepeatedRequestError or ConflictError; if the
        transaction has begun already, this method does.
        """
        expires_at = utc_now() + self._lifetime
        await self._responses.claim(self.id, self._fingerprint(self._keys[0]), expires_at, self._answer)

    async def keep(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Stores the response in the transaction of the request, so that neither is stored without the other."""
        await self._responses.keep(self.id, status, headers, body)

    def _answer(self, stored: Row[str, int, dict[str, str], bytes]) -> None:
        fingerprint, status, headers, body = stored
        if not any(hmac.compare_digest(self._fingerprint(key), fingerprint) for key in self._keys):
            raise invalid("idempotency_body", "This key was used with another body before")
        raise RepeatedRequestError(status, headers, body)

    def _fingerprint(self, key: bytes) -> str:
        # The prefix keeps these digests apart from access tokens and cursors, which the same keys sign.
        return hmac.digest(key, b"\0".join((b"idempotency", self.id.encode(), self._body)), "sha256").hex()


def key_of(request: Request) -> str | None:
    """Returns the key without quotes, or None if there is none. Raises RequestValidationError if it is not valid."""
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
