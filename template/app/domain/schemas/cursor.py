"""Cursors, which mark where a page of a list ends, as text that only this application can write."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from app.core.exceptions import UnprocessableError

# How many bytes of its signature a cursor carries: too many to guess.
_SIGNATURE = 16


class InvalidCursorError(UnprocessableError):
    """The text is no cursor of this list."""

    def __init__(self) -> None:
        super().__init__("The cursor does not belong to this list: begin again without it.")


class Position(NamedTuple):
    """The position of a record in a list: the value that it is sorted by, as JSON, and its ID, which breaks ties."""

    value: Any
    record_id: str


class Cursor:
    """The parameter `after` of a query: it says where a page begins, and writes where it ends."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self._position: Position | None = None
        self._keys: Sequence[bytes] = ()
        self._list_name = b""

    def __bool__(self) -> bool:
        """Returns whether the client sent a cursor."""
        return bool(self.text)

    def bind(self, keys: Sequence[bytes], list_name: str) -> None:
        """Binds this cursor, and those that it writes, to one list; every other list refuses them.

        `keys` are secrets: the first one signs, all of them verify. `list_name` is equal for equal lists only.
        Raises InvalidCursorError for anything but the exact text that `write` returned for this list.
        """
        self._keys, self._list_name = keys, list_name.encode()
        if self.text:
            self._position = self._read()

    @property
    def position(self) -> Position:
        """The record after which the page begins. Raises InvalidCursorError if `bind` was not called."""
        if self._position is None:
            raise InvalidCursorError
        return self._position

    def write(self, position: Position) -> str | None:
        """Returns the cursor of a record, or None if `bind` was not called."""
        payload = json.dumps(position, separators=(",", ":"), ensure_ascii=False).encode()
        return self._signed(payload, self._keys[0]) if self._keys else None

    def _read(self) -> Position:
        try:
            payload = urlsafe_b64decode(self.text + "=" * (-len(self.text) % 4))[:-_SIGNATURE]
        except ValueError:
            raise InvalidCursorError from None
        if not any(hmac.compare_digest(self._signed(payload, key), self.text) for key in self._keys):
            raise InvalidCursorError
        return Position(*json.loads(payload))

    def _signed(self, payload: bytes, key: bytes) -> str:
        # The same keys sign access tokens, whose signed text begins differently.
        signature = hmac.digest(key, b"\0".join((b"cursor", self._list_name, payload)), "sha256")[:_SIGNATURE]
        return urlsafe_b64encode(payload + signature).decode().rstrip("=")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Self], handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(min_length=1, max_length=4096, pattern="^[A-Za-z0-9_-]+$")
        return core_schema.no_info_after_validator_function(
            cls, text, serialization=core_schema.plain_serializer_function_ser_schema(lambda cursor: cursor.text)
        )
