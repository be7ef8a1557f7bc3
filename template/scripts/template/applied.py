"""Refuses to remove migrations that the database has applied: without their files, it could not revert them."""

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
    """Raises SystemExit if the database has one of the migrations, with what to run before the command `then`."""
    paths = {ROOT / name for name in names if name.startswith("alembic/versions/")}
    found = list(applied(paths)) if paths and has_database() else []
    if found:
        commands = ", ".join(f"make migrate-down to={target}" for target in targets(found))
        sys.exit(
            f"The database has {len(found)} of the migrations of the update: revert them with {commands} first, "
            f"then run {then}."
        )


def has_database() -> bool:
    """Returns whether there is a database to ask. If there were none, asking would create a local one."""
    settings = (ROOT / ".env").read_text("utf-8", errors="replace") if (ROOT / ".env").is_file() else ""
    is_named = "DATABASE_URL" in os.environ or re.search(r"^\s*DATABASE_URL\s*=", settings, re.MULTILINE)
    return bool(is_named) or any((ROOT / ".local" / name).exists() for name in LOCAL)


def applied(paths: set[Path]) -> Iterator[Script]:
    """Yields the migrations of these files that the database has, newest first."""
    script = ScriptDirectory.from_config(Config(ROOT / "alembic.ini"))
    for each in script.iterate_revisions(tuple(current()), "base"):
        if Path(each.path).resolve() in paths:
            yield each


def current() -> list[str]:
    """Returns the revisions of the database. If it cannot be asked, says so and returns none: it is optional."""
    command = [sys.executable, "-m", "scripts.local", sys.executable, "-m", "alembic", "current"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if process.returncode != 0:
        print("The database cannot be asked whether it has the migrations of the update.", file=sys.stderr)
        return []
    return [line.split()[0] for line in process.stdout.splitlines() if line]


def targets(found: Sequence[Script]) -> Iterator[str]:
    """Yields targets for a downgrade. Each reverts one of the migrations and all that follow it, and no others."""
    going = {each.revision for each in found}
    for each in found:
        before = [down for down in each._versioned_down_revisions if down]  # noqa: SLF001 (the public one has two types)
        if not going & set(before):
            yield f"{each.revision}@{before[0]}" if before else "base"
