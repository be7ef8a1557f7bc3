"""The schemas that all resources share."""

from collections.abc import Iterable
from typing import Annotated, Literal, TypeVar

from pydantic import MISSING, BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from app.domain.schemas.base import RequestModel, ResponseModel, Storable
from app.domain.schemas.cursor import Cursor
from app.domain.schemas.filters import Above, AtLeast, AtMost, Below, In, Is
from app.domain.schemas.types import DateTime

Search = Annotated[str, Field(max_length=100), Storable]
Reference = TypeVar("Reference")


def _split(values: Iterable[str]) -> Iterable[str]:
    """`expand=a,b` means the same as `expand=a&expand=b`."""
    return [name for value in values for name in value.split(",")]


# The references and links to put into a response.
Expand = Annotated[
    frozenset[Reference],
    BeforeValidator(_split),
    Field(
        description="What to add to the response, with commas between the names: whole records, or counts of links.",
        json_schema_extra=lambda schema: schema.pop("uniqueItems", None),  # a name may be repeated
    ),
]
# No attribute of a model can have this name, so that a relationship with the name of the field is not read.
_NOT_READ = Field(validation_alias="expanded by name")
# A reference in a response, which contains it only if `expand` names it.
Expanded = Annotated[Reference | MISSING | None, _NOT_READ]
# A list of references in a response, which contains it only if `expand` names it.
ExpandedList = Annotated[list[Reference] | MISSING, _NOT_READ]


class Filters(RequestModel):
    """The filters and the order of a list. A resource narrows `sort_by` to the keys that it allows."""

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


class SearchFilters(Filters):
    """Filters with a search, for a resource that has text to search in."""

    search: Annotated[Search | None, Field(description="Part of a text field, ignoring case.")] = None


class ListQuery(Filters):
    """The query for a page of a list: by its number, or after a cursor, which costs the same at any depth."""

    page: Annotated[int, Field(ge=1, le=10_000)] = 1
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    count: Annotated[
        bool,
        Field(description="Whether to count all matches; if not, both totals are null. Off by default with a cursor."),
    ] = True
    after: Annotated[Cursor, Field(description="A cursor, which is `next` of the page before.")] = Field(
        default_factory=Cursor
    )

    @field_validator("after")
    @classmethod
    def _excludes_page(cls, after: Cursor, info: ValidationInfo) -> Cursor:
        if info.data.get("page", 1) != 1:
            raise PydanticCustomError("cursor_and_page", "Give a cursor or a page, not both")
        return after


class SearchQuery(SearchFilters, ListQuery):
    """The query for a page of a list that can be searched."""


class ExportQuery(Filters):
    """The query for a whole list, as a file."""

    format: Annotated[
        Literal["csv", "ndjson"],
        Field(description="A table for spreadsheets (RFC 4180), or one JSON object per line."),
    ] = "csv"


class Page[Item](ResponseModel):
    """One page of a list."""

    items: list[Item]
    total: int | None
    page: int | None
    limit: int
    total_pages: int | None
    next: Annotated[str | None, Field(description="The cursor of the next page, for `after`; null at the end.")] = None


class LinkSummary(ResponseModel):
    """How many users link to a record, and whether the caller is one of them."""

    count: Annotated[int, Field(description="How many users have such a link to the record.")]
    is_mine: Annotated[bool, Field(description="Whether the caller is one of them.")]


# The links to a record in a response, which contains them only if `expand` names them.
Counted = Annotated[LinkSummary | MISSING, _NOT_READ]


class MessageResponse(ResponseModel):
    """Says that something was done."""

    message: str
    success: bool = True


class FieldError(ResponseModel):
    """An error in one field of a request. It never repeats the value."""

    field: str
    message: str
    type: str


class ErrorResponse(ResponseModel):
    """The form of every error."""

    message: str
    detail: str | dict[str, str] | None
    status_code: int
    request_id: str | None


class ValidationErrorResponse(ErrorResponse):
    """The form of a 422, which names each field that is wrong."""

    errors: list[FieldError] | None = None
