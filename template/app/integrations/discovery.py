"""Finds the integrations and calls their hooks."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from fastapi import FastAPI

import app.integrations as package
from app.core.config import Settings


def install_integrations(app: FastAPI, settings: Settings) -> None:
    for integration in _discover():
        if hasattr(integration, "install"):
            integration.install(app, settings)


async def run_integrations(app: FastAPI, stack: AsyncExitStack) -> None:
    """Enters what runs while the application does; the stack leaves it."""
    for integration in _discover():
        if hasattr(integration, "running"):
            await stack.enter_async_context(integration.running(app, app.state.settings))


def _discover() -> Iterator[ModuleType]:
    for name in sorted(module.name for module in iter_modules(package.__path__) if module.ispkg):
        yield import_module(f"{package.__name__}.{name}.integration")
