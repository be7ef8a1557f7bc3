"""What an update did to the project, in words."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from scripts.template.git import changed
from scripts.template.moves import Carried, Edit, Moves, Update, destination
from scripts.template.project import ROOT

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


def report(before: State, after: State, moves: Moves, carried: Carried) -> str:
    removed = [name for name in changed("D") if destination(name, moves) == name]
    migrations = after.migrations - before.migrations
    parts = [
        conflicts(),
        *followed(carried),
        listed("The template removed these files, which you had not changed", removed),
        listed(f"New settings, in {SETTINGS}", after.settings - before.settings),
        listed(f"Settings that are gone from {SETTINGS}", before.settings - after.settings),
        listed("New migrations", migrations),
    ]
    return "\n".join([*filter(None, parts), following(migrate=bool(migrations))])


def healed(update: Update, carried: Carried) -> str:
    """What became of an earlier update that had not followed the moves."""
    versions = f"from {update.before.version} to {update.after.version}"
    begin = (
        f"The update {versions} did not carry your changes over to files that the template moved: that is done now.\n"
    )
    parts = [begin, conflicts(), *followed(carried), f"{following()} After that, make update brings what is newer."]
    return "\n".join(filter(None, parts))


def conflicts() -> str:
    return listed("There are conflicts, from <<<<<<< to >>>>>>>, in", changed("U"))


def followed(carried: Carried) -> list[str]:
    kept = [edit.name for edit in carried.kept]
    return [
        listed("The template moved these files, and your changes went along", map(arrow, carried.merged)),
        listed("The template moved these files, which you had deleted: they stay away", map(arrow, carried.deleted)),
        listed(
            "The template no longer has these files, which stay because you changed them: "
            "move what you still need to where it belongs now, and delete them",
            kept,
        ),
    ]


def arrow(edit: Edit) -> str:
    return f"{edit.name} -> {edit.to}"


def following(*, migrate: bool = False) -> str:
    """What to run next."""
    resolve = "Resolve each conflict and `git add` its file"
    begin = resolve if changed("U") else "There are no conflicts: look at `git diff`"
    return f"{begin}. Next: make install, {'make migrate-up, ' if migrate else ''}make check, then commit."


def listed(what: str, names: Iterable[str]) -> str:
    lines = [f"    {name}" for name in sorted(names)]
    return "\n".join([f"{what}:", *lines, ""]) if lines else ""
