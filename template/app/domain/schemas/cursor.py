"""Cursors: where a page of a list ends, as text that only this application can write."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any, NamedTuple

from app.core.exceptions import UnprocessableError

# Bytes of the signature that a cursor carries: more than anybody can try.
_SIGNATURE = 16


class InvalidCursorError(UnprocessableError):
    """The text is no cursor of this list."""

    def __init__(self) -> None:
        super().__init__("The cursor is not one of this list: begin again without it.")


class Position(NamedTuple):
    """A record in a list: what it is sorted by, as JSON, and its ID, which breaks ties."""

    value: Any
    record_id: str


class Cursors:
    """Writes and reads the cursors of one list, which no other list takes.

    `keys` are secrets: the first one signs, all of them verify. `list_name` says everything that the list depends on.
    """

    def __init__(self, keys: Sequence[bytes], list_name: str) -> None:
        self._keys = keys
        self._list_name = list_name

    def write(self, position: Position) -> str:
        payload = json.dumps(position, separators=(",", ":"), ensure_ascii=False).encode()
        return self._signed(payload, self._keys[0])

    def read(self, text: str) -> Position:
        """Raises InvalidCursorError for anything but the exact text that `write` returned."""
        try:
            payload = urlsafe_b64decode(text + "=" * (-len(text) % 4))[:-_SIGNATURE]
        except ValueError:
            raise InvalidCursorError from None
        if not any(hmac.compare_digest(self._signed(payload, key).encode(), text.encode()) for key in self._keys):
            raise InvalidCursorError
        return Position(*json.loads(payload))

    def _signed(self, payload: bytes, key: bytes) -> str:
        # The same keys sign access tokens, whose text begins otherwise.
        content = b"\0".join((b"cursor", self._list_name.encode(), payload))
        signature = hmac.digest(key, content, "sha256")[:_SIGNATURE]
        return urlsafe_b64encode(payload + signature).decode().rstrip("=")
