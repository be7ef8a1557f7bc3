"""Finds the routers of this version: a module named `*_router` that has a `router` is part of the API."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from fastapi import APIRouter

import app.api.v1 as package
from app.domain.schemas.common import ErrorResponse, ValidationErrorResponse

# Any operation may answer with these; the documentation of each one says so.
ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    **{status: {"model": ErrorResponse} for status in (400, 401, 403, 404, 405, 409, 413, 429, 500, 503)},
    422: {"model": ValidationErrorResponse},
}


def discover_routers() -> Iterator[APIRouter]:
    for name in sorted(module.name for module in iter_modules(package.__path__)):
        if name.endswith("_router"):
            yield import_module(f"{package.__name__}.{name}").router
