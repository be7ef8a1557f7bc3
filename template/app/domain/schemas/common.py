"""What the requests and answers of all resources share."""

from typing import Annotated, Literal

from pydantic import Field

from app.domain.schemas.base import RequestModel, ResponseModel, Storable

Search = Annotated[str, Field(max_length=100), Storable]


class ListQuery(RequestModel):
    """Paging and sorting. A resource narrows `sort_by` to the keys that it allows."""

    page: Annotated[int, Field(ge=1, le=10_000)] = 1
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    sort_by: str = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"
    count: Annotated[bool, Field(description="Whether to count all matches; without it both totals are null.")] = True


class SearchQuery(ListQuery):
    """Searching as well, for a resource with text to search in."""

    search: Annotated[Search | None, Field(description="Part of a text field, in any case.")] = None


class Page[Item](ResponseModel):
    items: list[Item]
    total: int | None
    page: int
    limit: int
    total_pages: int | None


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
