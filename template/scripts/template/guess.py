"""Guesses the answers to the template's questions from the files of the project."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from scripts.template.project import ROOT

# Each option, its value, and a dependency or a path that only this value brings. The first match counts.
SIGNS = [
    ("database", "sqlite", "aiosqlite"),
    ("database", "postgresql", "asyncpg"),
    ("cache", "valkey", "redis"),
    ("tasks", "taskiq", "taskiq"),
    ("mail", "smtp", "app/integrations/mail"),
    ("kubernetes", True, "kubernetes/base"),
    ("ci", "gitlab", ".gitlab-ci.yml"),
    ("ci", "github", ".github/workflows"),
]
REPORTS = {"metrics": "prometheus-client", "tracing": "opentelemetry-sdk", "sentry": "sentry-sdk"}
OFF: Mapping[str, Any] = {"cache": "none", "tasks": "none", "mail": "none", "kubernetes": False, "ci": "none"}


def guessed() -> dict[str, Any]:
    """Returns the answers, without those that the project does not show."""
    path = ROOT / "pyproject.toml"
    declared = tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    project = declared.get("project", {})
    return {name: value for name, value in (identity(project) | options(project)).items() if value is not None}


def identity(project: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the project's title, name, author, license and Python version, with None for what is unknown."""
    author = (project.get("authors") or [{}])[0]
    python = re.search(r"3\.\d+", project.get("requires-python", ""))
    return {
        "project_name": title(),
        "project_slug": project.get("name"),
        "description": project.get("description"),
        "author_name": author.get("name"),
        "author_email": author.get("email"),
        "license": project.get("license", "none"),
        "python_version": python[0] if python else None,
    }


def title() -> str | None:
    """Returns the title of the application, which was in its settings in earlier versions."""
    for name, pattern in (
        ("pyproject.toml", r'^title = (".*")$'),
        ("app/core/config.py", r'PROJECT_NAME: str = (".*")$'),
    ):
        text = (ROOT / name).read_text("utf-8") if (ROOT / name).is_file() else ""
        if found := re.search(pattern, text, re.MULTILINE):
            return str(tomllib.loads(f"title = {found[1]}")["title"])
    return None


def options(project: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the answers about options. One that leaves no sign in the project is off."""
    declared = {re.split(r"[^\w-]", each, maxsplit=1)[0] for each in project.get("dependencies", [])}
    seen = {name: value for name, value, sign in reversed(SIGNS) if sign in declared or (ROOT / sign).exists()}
    return {**OFF, **seen, "observability": [name for name, sign in REPORTS.items() if sign in declared]}
