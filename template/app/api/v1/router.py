"""Finds the routers of this version: a module named `*_router` that has a `router` is part of the API."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from fastapi import APIRouter

import app.api.v1 as package


def discover_routers() -> Iterator[APIRouter]:
    for name in sorted(module.name for module in iter_modules(package.__path__)):
        if name.endswith("_router"):
            yield import_module(f"{package.__name__}.{name}").router
