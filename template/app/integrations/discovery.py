"""Finds the integrations and calls their hooks."""

from contextlib import AsyncExitStack
from importlib import import_module
from types import ModuleType

from fastapi import FastAPI

from app.core.config import Settings
from app.discovery import modules_of


def install_integrations(app: FastAPI, settings: Settings) -> None:
    """Calls `install` of each option that has one."""
    for integration in _integrations():
        if hasattr(integration, "install"):
            integration.install(app, settings)


async def run_integrations(app: FastAPI, stack: AsyncExitStack) -> None:
    """Enters `running` of each option that has one; the stack leaves it."""
    for integration in _integrations():
        if hasattr(integration, "running"):
            await stack.enter_async_context(integration.running(app, app.state.settings))


def _integrations() -> list[ModuleType]:
    packages = [module for module in modules_of("app.integrations") if hasattr(module, "__path__")]
    return [import_module(f"{package.__name__}.integration") for package in packages]
