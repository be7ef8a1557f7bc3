"""Finishes an update: updates the resources, and writes the migration for the project's own tables."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scripts.template.difference import Difference
from scripts.template.git import changed, git
from scripts.template.migration import body, default, merge_heads, write_migration
from scripts.template.moves import Update
from scripts.template.plan import VERSIONS, apply, differences, merge_files
from scripts.template.project import ROOT, Origin, fresh_render, muted, plain_errors
from scripts.template.records import Record, all_records
from scripts.template.render import referred, render
from scripts.template.tables import Tables, tables_at, tables_in


@dataclass(frozen=True)
class Followed:
    """The effects of an update on the project's own resources, tables and migrations."""

    resources: list[str]
    merge: str = ""  # the migration that merges those of the template and of the project
    migration: str = ""  # the migration that changes the tables
    clashes: Sequence[str] = ()  # the project's tables that already had a column `version`
    fault: str = ""  # why it is not known whether the tables changed

    def __bool__(self) -> bool:
        return bool(self.resources or self.merge or self.migration or self.clashes)


def follow(update: Update) -> Followed:
    """Merges the heads of the migrations, updates the resources, and writes a migration if tables changed."""
    if not (ROOT / "alembic.ini").is_file():
        return Followed(bring_all(update.after))
    if changed("U", "alembic"):
        return Followed(bring_all(update.after), fault="There are conflicts in migrations.")
    changes: list[Difference] = []
    resources, fault = [], ""
    with muted():
        merge = merge_heads()
        try:
            with plain_errors():
                before = tables_in(ROOT)
                changes += own_changes(update, before)
                resources = bring_all(update.after)
                changes += differences(before, tables_in(ROOT))
        except SystemExit as refusal:
            resources, fault = resources or bring_all(update.after), str(refusal)
        clashes = [change.table for change in changes if is_taken_over(change)]
        free = [change for change in changes if change.table not in clashes]
        migration = write_migration("follow the template", free) if free else ""
    return Followed(resources, merge, migration, clashes, fault)


def bring_all(project: Origin) -> list[str]:
    """Updates each resource that an older version made, and says what changed."""
    return [bring(record, project) for record in all_records() if record.version != project.version]


def bring(record: Record, project: Origin) -> str:
    """Updates the files of a resource and its record. Returns what changed, or why it stays as it was."""
    seen = [*referred(record.answers), record.path]
    try:
        base = render(replace(project, version=record.version), record.answers, seen)
        theirs = render(project, record.answers, seen)
        plan = merge_files(base, theirs)
        plan.record(record.path, theirs)
        apply(plan)
    except SystemExit as refusal:
        return f"{record.name} stays as it was: {refusal}"
    names = sorted(name for name in plan.files if name != record.path)
    return f"{record.name}: {', '.join(names) or 'nothing changed'}"


def own_changes(update: Update, now: Tables) -> list[Difference]:
    """Returns what changed in the project's own tables, unless a migration was written since."""
    after = tables_at(update.until) if update.until else now
    found = [each for each in differences(tables_at(update.commit), after) if each.before is not None]
    written = list(migrations_since(update.commit))
    found = [each for each in found if each.after is not None and not any(says(text, each) for text in written)]
    if not found:
        return []
    with fresh_render(update.before) as old:
        theirs = tables_in(old)
    return [each for each in found if each.table not in theirs]


def is_taken_over(change: Difference) -> bool:
    """Returns whether the column `version` of `Entity` replaces a column of the project with the same name."""
    return any(new.name == "version" and default(old) != default(new) for old, new in change.pairs)


def migrations_since(commit: str) -> Iterator[str]:
    """Returns the texts of the migrations that the commit does not have."""
    known = git("ls-tree", "--name-only", commit, "--", "alembic/versions/").splitlines()
    return (path.read_text("utf-8") for path in VERSIONS.glob("*.py") if str(path.relative_to(ROOT)) not in known)


def says(migration: str, difference: Difference) -> bool:
    """Returns whether the migration names all that the difference names, and so was probably written for it."""
    return all(f'"{name}"' in migration for name in re.findall(r"'(\w+)'", body(difference)))
