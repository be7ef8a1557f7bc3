"""Reads the query of a list as a dependency, and refuses repeated parameters and cursors of another caller or list."""

from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.requests import HTTPConnection
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import ValidationError
from starlette.datastructures import QueryParams

from app.api.deps import providers_of, settings_of
from app.core.exceptions import UnauthorizedError
from app.domain.schemas.common import Filters, ListQuery
from app.domain.schemas.cursor import InvalidCursorError


class Listing[Kind: Filters]:
    """A dependency that reads a query. It raises RequestValidationError if the query is not valid.

    It reads only the parameters that were sent. FastAPI itself would look for every field in each request, which takes
    as long as the list if there are many filters.
    """

    def __init__(self, kind: type[Kind], without: str = "") -> None:
        schema = kind.model_json_schema(ref_template="#/components/schemas/{model}")
        if without and without not in schema["properties"]:
            raise ValueError(f"{kind.__name__} has no filter {without}, so the list would have all records")
        self.definitions: dict[str, Any] = schema.pop("$defs", {})
        self._refused = {name for name in schema["properties"] if without and name.partition("__")[0] == without}
        self.properties: dict[str, Any] = {
            name: field for name, field in schema["properties"].items() if name not in self._refused
        }
        self.required = schema.get("required", ())
        self._kind = kind
        self._lists = {name for name, field in self.properties.items() if _takes_several(field)}

    async def __call__(self, connection: HTTPConnection) -> Kind:
        """Returns the query of the request. Raises RequestValidationError if it is not valid."""
        try:
            query = self._kind.model_validate(self._values(connection.query_params))
        except ValidationError as error:
            faults = [{**fault, "loc": ("query", *fault["loc"])} for fault in error.errors(include_url=False)]
            raise RequestValidationError(faults) from None
        if isinstance(query, ListQuery):
            bind_cursor(connection, query)
        return query

    def _values(self, sent: QueryParams) -> dict[str, str | list[str]]:
        """Raises RequestValidationError if a parameter for one value is repeated: FastAPI would take the last one."""
        values: dict[str, list[str]] = {}
        for name, value in sent.multi_items():
            values.setdefault(name, []).append(value)
        for name in values.keys() & self._refused:
            raise invalid(name, "extra_forbidden", "The path already sets this parameter")
        for name in values.keys() - self._lists:
            if len(values[name]) > 1:
                raise invalid(name, "repeated", "Give this parameter once")
        return {name: several if name in self._lists else several[0] for name, several in values.items()}


def listing[Kind: Filters](kind: type[Kind], *, without: str = "") -> Listing[Kind]:
    """Returns the dependency that reads a query of this kind. It refuses the filters by the field `without`."""
    return Listing(kind, without)


def _takes_several(field: Mapping[str, Any]) -> bool:
    return field.get("type") == "array" or any(map(_takes_several, field.get("anyOf", ())))


def bind_cursor(connection: HTTPConnection, query: ListQuery) -> None:
    """Raises RequestValidationError if the cursor belongs to another list."""
    try:
        query.after.bind(settings_of(connection).signing_keys, list_name(connection, query))
    except InvalidCursorError as error:
        raise invalid("after", "cursor", str(error)) from None


def list_name(connection: HTTPConnection, query: ListQuery) -> str:
    """Names a list by its caller, its path, its order, what is searched for, and its filters."""
    chosen = query.model_dump_json(exclude={"page", "limit", "count", "after", "expand"})
    return "\0".join((caller_of(connection), connection.scope["path"], chosen))


def caller_of(connection: HTTPConnection) -> str:
    """Returns the ID of the user whose token the request carries, or "" for others, who may read a public list."""
    _, token = get_authorization_scheme_param(connection.headers.get("Authorization"))
    try:
        return str(providers_of(connection).access_tokens.read(token).user_id) if token else ""
    except UnauthorizedError:
        return ""


def invalid(field: str, kind: str, message: str) -> RequestValidationError:
    """Returns the error for a parameter of the query."""
    return RequestValidationError([{"loc": ("query", field), "type": kind, "msg": message, "input": None}])
