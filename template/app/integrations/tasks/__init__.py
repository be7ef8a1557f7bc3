"""Taskiq: what is done beside the requests, in processes of its own. docs/tasks.md describes it."""
