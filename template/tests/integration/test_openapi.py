"""The OpenAPI document describes each operation, and the errors that it may respond with."""

from collections.abc import Iterator
from operator import itemgetter
from typing import Annotated, Any

from fastapi import FastAPI, Query

from app.domain.schemas.user import UserListQuery
from tests.api import AUTH, PREFIX, USERS
from tests.errors import MEDIA_TYPE, MODEL, MODEL_OF_422

# Statuses that follow from an operation's own rules, whatever it takes.
BY_RULE = {401, 403, 409, 412, 429, 503}

# Headers that accept any value.
ANYTHING = {"If-Match", "If-None-Match"}

# An operation of the project's own may do without the database and without a description.
OF_THE_TEMPLATE = tuple(f"{PREFIX}{path}" for path in (AUTH, "/health", USERS))


def operations(app: FastAPI) -> Iterator[tuple[str, str, dict[str, Any], set[int]]]:
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            statuses = {int(status) for status in operation["responses"]}
            yield method, path, operation, {status for status in statuses if status >= 400}


def implied(path: str, operation: dict[str, Any]) -> set[int]:
    """Returns the errors that follow from what an operation takes."""
    statuses = {500}
    if "requestBody" in operation:
        statuses |= {400, 413, 422}
    if {parameter["name"] for parameter in operation.get("parameters", [])} - ANYTHING:
        statuses |= {422}
    if "security" in operation:
        statuses |= {401}
    if "{" in path:
        statuses |= {404}
    return statuses


async def test_an_operation_documents_the_errors_that_its_input_may_cause(app: FastAPI) -> None:
    wrong = {
        (method, path): documented
        for method, path, operation, documented in operations(app)
        if documented - BY_RULE != implied(path, operation) - BY_RULE or not implied(path, operation) <= documented
    }

    assert wrong == {}


async def test_only_liveness_can_do_without_the_database(app: FastAPI) -> None:
    alive = {path for _, path, _, documented in operations(app) if 503 not in documented}

    assert {path for path in alive if path.startswith(OF_THE_TEMPLATE)} == {f"{PREFIX}/health"}


async def test_every_error_has_the_one_form(app: FastAPI) -> None:
    forms = {
        (status == "422", response["content"][MEDIA_TYPE]["schema"]["$ref"].rpartition("/")[2])
        for _, _, operation, _ in operations(app)
        for status, response in operation["responses"].items()
        if int(status) >= 400
    }

    assert forms == {(False, MODEL), (True, MODEL_OF_422)}


async def test_every_operation_says_what_it_does(app: FastAPI) -> None:
    silent = {
        (method, path)
        for method, path, operation, _ in operations(app)
        if not (operation.get("summary") and operation.get("description"))
    }

    assert {(method, path) for method, path in silent if path.startswith(OF_THE_TEMPLATE)} == set()


async def test_the_parameters_of_a_list_are_documented_as_fastapi_documents_a_query(app: FastAPI) -> None:
    plain = FastAPI()

    @plain.get(f"{PREFIX}{USERS}")
    async def list_users(query: Annotated[UserListQuery, Query()]) -> None: ...

    app.openapi()  # the second document must be the same
    assert parameters(app) == parameters(plain)


def parameters(app: FastAPI) -> list[dict[str, Any]]:
    """Returns the parameters of the list, without defaults of null, which FastAPI leaves out."""
    described = app.openapi()["paths"][f"{PREFIX}{USERS}"]["get"]["parameters"]
    for parameter in described:
        if parameter["schema"].get("default", ...) is None:
            del parameter["schema"]["default"]
    return sorted(described, key=itemgetter("name"))
