"""Finds the tasks."""

from importlib import import_module

from app.discovery import modules_of


def discover_tasks() -> None:
    """Imports every module of `app.tasks`, and ours: a task is known once its module is imported."""
    modules_of("app.tasks")
    import_module("app.integrations.tasks.erase_sessions")
