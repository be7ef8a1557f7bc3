"""What the requests and responses of all resources share."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Literal

from pydantic import MISSING, Field, PrivateAttr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from app.domain.schemas.base import RequestModel, ResponseModel, Storable
from app.domain.schemas.cursor import Cursors, InvalidCursorError, Position
from app.domain.schemas.filters import Above, AtLeast, AtMost, Below, Filter, In, Is
from app.domain.schemas.types import DateTime

Search = Annotated[str, Field(max_length=100), Storable]
_PAGING = {"page", "limit", "count", "after"}


class Filters(RequestModel):
    """Which records a list has, and in which order. A resource narrows `sort_by` to the keys that it allows."""

    sort_by: str = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"
    created_at: Is[DateTime] = MISSING
    created_at__in: In[DateTime] = MISSING
    created_at__gt: Above[DateTime] = MISSING
    created_at__gte: AtLeast[DateTime] = MISSING
    created_at__lt: Below[DateTime] = MISSING
    created_at__lte: AtMost[DateTime] = MISSING
    updated_at: Is[DateTime] = MISSING
    updated_at__in: In[DateTime] = MISSING
    updated_at__gt: Above[DateTime] = MISSING
    updated_at__gte: AtLeast[DateTime] = MISSING
    updated_at__lt: Below[DateTime] = MISSING
    updated_at__lte: AtMost[DateTime] = MISSING

    @classmethod
    @cache
    def filters(cls) -> Mapping[str, Filter]:
        """The parameters that are filters."""
        return {
            name: mark
            for name, field in cls.model_fields.items()
            for mark in field.metadata
            if isinstance(mark, Filter)
        }

    def chosen(self) -> list[tuple[str, Filter]]:
        """The filters that this query uses."""
        known = self.filters()
        return [(name, known[name]) for name in sorted(self.model_fields_set & known.keys())]


class SearchFilters(Filters):
    """Searching as well, for a resource with text to search in."""

    search: Annotated[Search | None, Field(description="Part of a text field, in any case.")] = None


class ListQuery(Filters):
    """A page of a list: by its number, or after a cursor, which costs the same at any depth."""

    page: Annotated[int, Field(ge=1, le=10_000)] = 1
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    count: Annotated[
        bool,
        Field(description="Whether to count all matches; without it both totals are null. Off after a cursor."),
    ] = True
    after: Annotated[
        str | MISSING,
        Field(description="A cursor, which is `next` of the page before.", max_length=4096, pattern="^[A-Za-z0-9_-]+$"),
    ] = MISSING

    _cursors: Cursors | None = PrivateAttr(default=None)
    _start: Position | None = PrivateAttr(default=None)

    @field_validator("after")
    @classmethod
    def _excludes_page(cls, after: str, info: ValidationInfo) -> str:
        if info.data.get("page", 1) != 1:
            raise PydanticCustomError("cursor_and_page", "Give a cursor or a page, not both")
        return after

    @property
    def counts(self) -> bool:
        """Whether the total is asked for."""
        return self.count and (self.after is MISSING or "count" in self.model_fields_set)

    def bind(self, caller: str, path: str, keys: Sequence[bytes]) -> None:
        """Has pages begin and end with cursors that belong to this caller, path, order, search and filters.

        Raises InvalidCursorError if `after` is none of them.
        """
        self._cursors = Cursors(keys, "\0".join((caller, path, self.model_dump_json(exclude=_PAGING))))
        if self.after is not MISSING:
            self._start = self._cursors.read(self.after)

    @property
    def start(self) -> Position | None:
        """The record after which the page begins. Raises InvalidCursorError if nobody has called `bind`."""
        if self.after is not MISSING and self._start is None:
            raise InvalidCursorError
        return self._start

    def cursor(self, position: Position) -> str | None:
        """The cursor of a record, or None if nobody has called `bind`."""
        return self._cursors.write(position) if self._cursors else None


class SearchQuery(SearchFilters, ListQuery):
    """A page of a list that can be searched."""


class ExportQuery(Filters):
    """The whole of a list, as a file."""

    format: Annotated[
        Literal["csv", "ndjson"],
        Field(description="A table for spreadsheets (RFC 4180), or a JSON object a line."),
    ] = "csv"


class Page[Item](ResponseModel):
    items: list[Item]
    total: int | None
    page: int | None
    limit: int
    total_pages: int | None
    next: Annotated[str | None, Field(description="The cursor of the next page, for `after`; null at the end.")] = None


class MessageResponse(ResponseModel):
    message: str
    success: bool = True


class FieldError(ResponseModel):
    field: str
    message: str
    type: str


class ErrorResponse(ResponseModel):
    message: str
    detail: str | dict[str, str] | None
    status_code: int
    request_id: str | None


class ValidationErrorResponse(ErrorResponse):
    errors: list[FieldError] | None = None
