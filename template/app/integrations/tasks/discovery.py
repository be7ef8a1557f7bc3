"""Finds the tasks."""

from importlib import import_module
from pkgutil import walk_packages

import app.tasks as package


def discover_tasks() -> None:
    """Imports every module of `app.tasks`, and ours: a task is known once its module is imported."""
    names = sorted(module.name for module in walk_packages(package.__path__, f"{package.__name__}."))
    for name in [*names, "app.integrations.tasks.erase_sessions"]:
        import_module(name)
