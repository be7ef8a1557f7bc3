"""Finds the routers of this version.

The `router` of each module named `*_router` is part of the API, and so are its `nested_routers`, if it has any.
"""

from collections.abc import Iterator

from fastapi import APIRouter

from app.discovery import modules_of


def discover_routers() -> Iterator[APIRouter]:
    """Yields the routers of each module, in the order of the modules' names."""
    for module in modules_of("app.api.v1"):
        if module.__name__.endswith("_router"):
            yield module.router
            yield from getattr(module, "nested_routers", ())
