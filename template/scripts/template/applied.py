"""Refuses to take migrations away that the database has: without them, it could not go back."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from alembic.config import Config
from alembic.script import Script, ScriptDirectory

from scripts.template.project import ROOT

LOCAL = ("postgres", "app.db")


def require_not_applied(names: Sequence[str], then: str) -> None:
    """Raises SystemExit with what to run before the command that asks."""
    paths = {ROOT / name for name in names if name.startswith("alembic/versions/")}
    found = list(applied(paths)) if paths and has_database() else []
    if found:
        commands = ", ".join(f"make migrate-down to={target}" for target in targets(found))
        sys.exit(
            f"The database has {len(found)} of the migrations of the update: take them back with {commands} first, "
            f"then run {then}."
        )


def has_database() -> bool:
    """Whether there is one to ask: asking would make a local one."""
    settings = (ROOT / ".env").read_text("utf-8", errors="replace") if (ROOT / ".env").is_file() else ""
    is_named = "DATABASE_URL" in os.environ or re.search(r"^\s*DATABASE_URL\s*=", settings, re.MULTILINE)
    return bool(is_named) or any((ROOT / ".local" / name).exists() for name in LOCAL)


def applied(paths: set[Path]) -> Iterator[Script]:
    """Those that the database has, the newest first."""
    script = ScriptDirectory.from_config(Config(ROOT / "alembic.ini"))
    for each in script.iterate_revisions(tuple(current()), "base"):
        if Path(each.path).resolve() in paths:
            yield each


def current() -> list[str]:
    """Where the database is. Says so where that cannot be known, and goes on: nothing depends on a database."""
    command = [sys.executable, "-m", "scripts.local", sys.executable, "-m", "alembic", "current"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if process.returncode != 0:
        print("The database cannot be asked whether it has the migrations of the update.", file=sys.stderr)
        return []
    return [line.split()[0] for line in process.stdout.splitlines() if line]


def targets(found: Sequence[Script]) -> Iterator[str]:
    """Each takes back one of them and all that follows, and nothing beside."""
    going = {each.revision for each in found}
    for each in found:
        before = [down for down in each._versioned_down_revisions if down]  # noqa: SLF001 (the public one has two types)
        if not going & set(before):
            yield f"{each.revision}@{before[0]}" if before else "base"
