"""What an update did to the project, in words."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from scripts.git import changed
from scripts.template import ROOT

MIGRATIONS = "alembic/versions"
SETTINGS = ".env.example"
SETTING = re.compile(r"^(?:# ?)?([A-Z][A-Z0-9_]+)[=:]", re.MULTILINE)


@dataclass(frozen=True)
class State:
    """What an update may add to, or take from."""

    settings: frozenset[str]
    migrations: frozenset[str]


def state() -> State:
    settings = (ROOT / SETTINGS).read_text(encoding="utf-8") if (ROOT / SETTINGS).is_file() else ""
    migrations = (str(path.relative_to(ROOT)) for path in (ROOT / MIGRATIONS).glob("*.py"))
    return State(frozenset(SETTING.findall(settings)), frozenset(migrations))


def report(before: State, after: State) -> str:
    conflicts = changed("U")
    migrations = after.migrations - before.migrations
    parts = [
        listed("There are conflicts, from <<<<<<< to >>>>>>>, in", conflicts),
        listed("The template has these files no more, and took them away with your changes", changed("D")),
        listed(f"New settings, in {SETTINGS}", after.settings - before.settings),
        listed(f"Settings that are gone from {SETTINGS}", before.settings - after.settings),
        listed("New migrations", migrations),
    ]
    return "\n".join([*filter(None, parts), following(resolve=bool(conflicts), migrate=bool(migrations))])


def following(*, resolve: bool, migrate: bool) -> str:
    """What to run next."""
    begin = "Resolve each conflict and `git add` its file" if resolve else "There are no conflicts: look at `git diff`"
    return f"{begin}. Next: make install, {'make migrate-up, ' if migrate else ''}make check, then commit."


def listed(what: str, names: Collection[str]) -> str:
    return "\n".join([f"{what}:", *(f"    {name}" for name in sorted(names)), ""]) if names else ""
