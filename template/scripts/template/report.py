"""Describes what an update did to the project."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from scripts.template.conflicts import place
from scripts.template.follow import Followed
from scripts.template.git import changed
from scripts.template.moves import Carried, Edit, Moves, Update, destination
from scripts.template.project import ROOT

MIGRATIONS = "alembic/versions"
SETTINGS = ".env.example"
SETTING = re.compile(r"^(?:# ?)?([A-Z][A-Z0-9_]+)[=:]", re.MULTILINE)


@dataclass(frozen=True)
class State:
    """The settings and migrations, which an update may add to or take from."""

    settings: frozenset[str]
    migrations: frozenset[str]


def state() -> State:
    """Returns the settings in .env.example and the paths of the migrations, as they are now."""
    settings = (ROOT / SETTINGS).read_text(encoding="utf-8") if (ROOT / SETTINGS).is_file() else ""
    migrations = (str(path.relative_to(ROOT)) for path in (ROOT / MIGRATIONS).glob("*.py"))
    return State(frozenset(SETTING.findall(settings)), frozenset(migrations))


def report(before: State, after: State, moves: Moves, carried: Carried, followed: Followed) -> str:
    """Returns what the update changed, and what to do next, as text."""
    removed = [name for name in changed("D") if destination(name, moves) == name]
    migrations = after.migrations - before.migrations
    parts = [
        conflicts(),
        *moved(carried),
        listed("The template removed these files, which you had not changed", removed),
        listed(f"New settings, in {SETTINGS}", after.settings - before.settings),
        listed(f"Settings that are gone from {SETTINGS}", before.settings - after.settings),
        listed("New migrations", migrations),
        *own(followed),
    ]
    commands = ["make install", *(["make migrate-up"] if migrations or followed.migration else [])]
    return "\n".join([*filter(None, parts), following(commands)])


def finished(update: Update, carried: Carried, followed: Followed) -> str:
    """Reports on an earlier update that was left unfinished, and is finished now."""
    begin = f"The update from {update.before.version} to {update.after.version} was not finished: that is done now.\n"
    commands = ["make install", *(["make migrate-up"] if followed.migration or followed.merge else [])]
    end = f"{following(commands)} After that, make update brings what is newer."
    return "\n".join([begin, *filter(None, [conflicts(), *moved(carried), *own(followed)]), end])


def own(followed: Followed) -> Iterator[str]:
    """Reports on the project's own resources, tables and migrations."""
    yield listed("The template's changes reached your resources", followed.resources)
    if followed.merge:
        heads = "There were several newest migrations, of the template and of the project"
        yield f"{heads}: {followed.merge} merges them.\n"
    if followed.migration:
        yield f"The tables of your models changed: {followed.migration} applies that to the database.\n"
    yield listed(
        "These tables have a column `version` of your own, a name that every record now uses to count its writes: "
        "rename your column, with make resource rename='version:...' if it is a field of a resource",
        followed.clashes,
    )
    if followed.fault:
        yield (
            f"{followed.fault} It is not known whether the tables of your models changed: resolve that, then run "
            "make migrate-create name=follow_the_template.\n"
        )


def conflicts() -> str:
    """Returns the files in conflict, with their lines, as text that is empty if there are none."""
    return listed("There are conflicts, from <<<<<<< to >>>>>>>, in", map(place, changed("U")))


def moved(carried: Carried) -> list[str]:
    """Returns a text for each kind of edit that was carried over. Some of them may be empty."""
    kept = [edit.name for edit in carried.kept]
    return [
        listed("The template moved these files, and your changes moved with them", map(arrow, carried.merged)),
        listed("The template moved these files, which you had deleted: they stay deleted", map(arrow, carried.deleted)),
        listed(
            "The template no longer has these files, which stay because you changed them: "
            "move what you still need to where it belongs now, and delete them",
            kept,
        ),
    ]


def arrow(edit: Edit) -> str:
    """Returns the old and the new path of the file."""
    return f"{edit.name} -> {edit.to}"


def following(commands: Iterable[str]) -> str:
    """Says what to run next."""
    steps = ", ".join([*commands, "make check"])
    if os.environ.get("UPDATE_BRANCH"):
        return f"Next, on its branch: {steps}."
    resolve = "Resolve each conflict and `git add` its file"
    begin = resolve if changed("U") else "There are no conflicts: look at `git diff`"
    return f"{begin}. Next: {steps}, then commit."


def listed(what: str, names: Iterable[str]) -> str:
    """Returns a heading with the sorted names below it, or an empty string if there are none."""
    lines = [f"    {name}" for name in sorted(names)]
    return "\n".join([f"{what}:", *lines, ""]) if lines else ""
