"""Finds the routers of this version: a module named `*_router` that has a `router` is part of the API."""

from collections.abc import Iterator

from fastapi import APIRouter

from app.discovery import modules_of


def discover_routers() -> Iterator[APIRouter]:
    """Yields the router of each module, in the order of their names."""
    for module in modules_of("app.api.v1"):
        if module.__name__.endswith("_router"):
            yield module.router
