"""One form for every error: `{"message", "detail", "status_code", "request_id"}`, and `errors` for a 422.

Nothing that was submitted is repeated, and no traceback leaves the process.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.utils import is_body_allowed_for_status_code
from loguru import logger
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.context import request_id
from app.core.database_errors import OUTAGES, client_error, reason
from app.core.exceptions import AppError, ServiceUnavailableError
from app.middleware.response import has_begun
from app.middleware.routes import allowed_methods, route_template

# A response lists no more faults than this: a hostile body may hold thousands.
MAX_ERRORS = 20
MAX_FIELD_LENGTH = 100

# Responses with `Retry-After`: one second, unless the error gives another value (RFC 6585, 4; RFC 9110, 15.6.4).
RETRIED = (429, 503)


def error_response(
    status_code: int,
    message: str | None = None,
    detail: object = None,
    *,
    errors: Sequence[Mapping[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Returns a response in the form that all errors have; `message` defaults to the phrase of the status."""
    body: dict[str, object] = {
        "message": message or HTTPStatus(status_code).phrase,
        "detail": detail,
        "status_code": status_code,
        "request_id": request_id.get(),
    }
    if errors is not None:
        body["errors"] = errors
    # Escaped to ASCII, so that not even an unpaired surrogate in a field's name can break the response.
    response = Response(json.dumps(body), status_code, headers, media_type="application/json")
    if status_code in RETRIED:
        response.headers.setdefault("Retry-After", "1")
    return response


class ErrorHandlerMiddleware:
    """Turns an error that has no handler into a 500, inside of CORS and request IDs, so that it carries both."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on. An error is logged and becomes a 500, or is raised again if the response has begun."""
        try:
            await self.app(scope, receive, send)
        except Exception:
            method, route = scope.get("method"), route_template(scope)
            logger.bind(method=method, route=route).exception("unhandled error")
            if has_begun(scope) or scope["type"] != "http":
                raise
            await error_response(500)(scope, receive, send)


def add_error_handlers(app: FastAPI) -> None:
    """Gives errors of the application, of FastAPI and of the database the one form."""
    app.add_exception_handler(AppError, _app_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(DBAPIError, _database_error)
    for outage in OUTAGES:
        app.add_exception_handler(outage, _outage)


async def _app_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)
    return error_response(error.status_code, error.message, error.detail, headers=error.headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    headers = dict(error.headers or {})
    if not is_body_allowed_for_status_code(error.status_code):
        return Response(None, error.status_code, headers)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # Starlette names the methods of the first route only (RFC 9110, 15.5.6).
        headers["Allow"] = ", ".join(allowed_methods(request.scope))
    detail = None if error.detail == phrase else error.detail
    return error_response(error.status_code, phrase, detail, headers=headers)


async def _validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"field": _field(fault["loc"]), "message": fault["msg"], "type": fault["type"]}
        for fault in error.errors()[:MAX_ERRORS]
    ]
    return error_response(422, "Validation failed", errors=errors)


async def _database_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, DBAPIError)
    known = client_error(error)
    if known is None:
        raise error
    if isinstance(known, ServiceUnavailableError):
        return await _outage(request, error)
    return await _app_error(request, known)


async def _outage(request: Request, error: Exception) -> Response:
    logger.bind(error=type(error).__name__, reason=reason(error)).error("the database is not available")
    return await _app_error(request, ServiceUnavailableError("The database is not available."))


def _field(location: Iterable[Any]) -> str:
    """Turns `("body", "items", 0, "price")` into `items.0.price`, since a form has no use for the first part."""
    parts = [str(part) for part in location]
    return ".".join(parts[1:] or parts)[:MAX_FIELD_LENGTH]
