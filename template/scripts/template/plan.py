"""The changes that a command is going to make to the project: files, conflicts and a migration, all of them or none."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.schema import sort_tables

from scripts.template.difference import Difference
from scripts.template.files import File, read, staged, uninterrupted
from scripts.template.migration import body, write_migration
from scripts.template.project import ROOT, muted
from scripts.template.render import Files
from scripts.template.tables import Tables, tables_with
from scripts.template.three_way import Sides, mark_conflict, merged

VERSIONS = ROOT / "alembic/versions"


@dataclass
class Plan:
    """The files to write and to delete, and the tables to change. Without either, it is false."""

    files: dict[str, File | None] = field(default_factory=dict)  # None deletes the file
    conflicts: dict[str, Sides] = field(default_factory=dict)
    differences: Sequence[Difference] = ()
    migration: str = ""  # its message

    def __bool__(self) -> bool:
        return bool(self.files or self.differences)

    def record(self, name: str, theirs: Files) -> None:
        """Plans to write the template's version of the record, whatever the project has changed in it."""
        if read(ROOT / name) != theirs[name]:
            self.files[name] = theirs[name]

    def tables(self) -> tuple[Tables, Tables]:
        """Returns the tables before and after the change. Of a file in conflict, it imports the template's versions."""
        before = {name: sides.base for name, sides in self.conflicts.items()}
        after = self.files | {name: sides.theirs for name, sides in self.conflicts.items()}
        return tables_with(before), tables_with(after)


def merge_files(base: Files, theirs: Files) -> Plan:
    """Plans to bring the changes between two renders to the project. Files that the project deleted stay deleted."""
    plan = Plan()
    for name in sorted({*base, *theirs}):
        old, ours, new = base.get(name), read(ROOT / name), theirs.get(name)
        if new in (old, ours) or (old and not ours):
            continue
        if new is None and ours == old:
            plan.files[name] = None
        elif new and ours is None:
            plan.files[name] = new
        elif new and ours:
            sides = Sides(old or File(b""), ours, new)
            status, content = merged(sides)
            plan.files[name] = File(content, ours.executable)
            if status:
                plan.conflicts[name] = sides
    return plan


def differences(before: Tables, after: Tables) -> list[Difference]:
    """Returns what differs between the tables, in an order in which no foreign key lacks its table."""
    found = (Difference(before.get(name), after.get(name)) for name in sorted({*before, *after}))
    changed = {difference.table: difference for difference in found if body(difference)}
    kept = sort_tables([after[name] for name in changed if name in after])
    dropped = sort_tables([before[name] for name in changed if name not in after])
    return [changed[table.name] for table in [*kept, *reversed(dropped)]]


def apply(plan: Plan) -> list[str]:
    """Carries the plan out, and returns the names of the changed files.

    Nothing changes if it fails. Ctrl-C comes too late once everything is written.
    """
    before, is_done = set(VERSIONS.glob("*.py")), False
    migrations: list[str] = []
    try:
        with muted(), staged(plan.files) as put:
            if plan.differences:
                migrations.append(write_migration(plan.migration, plan.differences))
            with uninterrupted():
                for name, sides in plan.conflicts.items():
                    mark_conflict(name, sides)
                put()
                is_done = True
    except BaseException as failure:
        if not is_done:
            for path in set(VERSIONS.glob("*.py")) - before:
                path.unlink()
        if not is_done or not isinstance(failure, KeyboardInterrupt):
            raise
    return [*plan.files, *migrations]


def shown(plan: Plan) -> str:
    """Returns the plan as a patch that `git apply` takes, and the code of the migration."""
    patches = (patch(name, read(ROOT / name), file) for name, file in plan.files.items())
    return "\n".join([*patches, *map(body, plan.differences)])


def patch(name: str, old: File | None, new: File | None) -> str:
    """Returns the difference as git writes it. None stands for a file that is missing."""
    return "".join(difflib.unified_diff(lines(old), lines(new), f"a/{name}", f"b/{name}"))


def lines(file: File | None) -> list[str]:
    """Returns the lines with their line ends. A missing file has none."""
    return file.content.decode(errors="replace").splitlines(keepends=True) if file else []
