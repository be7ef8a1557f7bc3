"""The query of a list as a dependency: each parameter once, and cursors that belong to one caller and one list."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Query
from fastapi.exceptions import RequestValidationError
from fastapi.requests import HTTPConnection
from fastapi.security.utils import get_authorization_scheme_param

from app.api.deps import providers_of, settings_of
from app.core.exceptions import UnauthorizedError
from app.domain.schemas.common import Filters, ListQuery
from app.domain.schemas.cursor import InvalidCursorError


def listing[Kind: Filters](kind: type[Kind]) -> Callable[..., Awaitable[Kind]]:
    """Returns the dependency that reads a query of this kind. It raises RequestValidationError."""

    async def read_query(
        connection: HTTPConnection,
        query: Annotated[kind, Query()],  # type: ignore[valid-type]  # FastAPI reads the type of this kind
    ) -> Kind:
        return checked(connection, query)

    return read_query


def checked[Kind: Filters](connection: HTTPConnection, query: Kind) -> Kind:
    """Raises RequestValidationError if a parameter is repeated, or the cursor belongs to another list."""
    refuse_repetition(connection, query)
    if isinstance(query, ListQuery):
        try:
            query.after.bind(settings_of(connection).signing_keys, list_name(connection, query))
        except InvalidCursorError as error:
            raise invalid("after", "cursor", str(error)) from None
    return query


def list_name(connection: HTTPConnection, query: ListQuery) -> str:
    """Names a list by its caller, its path, its order, what is searched for, and its filters."""
    chosen = query.model_dump_json(exclude={"page", "limit", "count", "after"})
    return "\0".join((caller_of(connection), connection.scope["path"], chosen))


def refuse_repetition(connection: HTTPConnection, query: Filters) -> None:
    """Raises RequestValidationError if a parameter for one value is repeated, of which FastAPI would take the last."""
    parameters = connection.query_params
    if len(parameters) == len(parameters.multi_items()):
        return
    for name in parameters:
        if len(parameters.getlist(name)) > 1 and not isinstance(getattr(query, name), list):
            raise invalid(name, "repeated", "Give this parameter once")


def caller_of(connection: HTTPConnection) -> str:
    """The ID of the user whose token the request carries; empty for anybody else, who may read a public list."""
    _, token = get_authorization_scheme_param(connection.headers.get("Authorization"))
    try:
        return str(providers_of(connection).access_tokens.read(token).user_id) if token else ""
    except UnauthorizedError:
        return ""


def invalid(field: str, kind: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"loc": ("query", field), "type": kind, "msg": message, "input": None}])
