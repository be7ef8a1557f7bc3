"""Taskiq: background tasks, which run in separate processes. docs/tasks.md describes it."""
