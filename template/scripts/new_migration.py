"""Writes a migration from what changed in the models, unless it would lose data without being asked to."""

import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from typing import Any, Self

from alembic import command
from alembic.config import Config
from alembic.operations import ops
from alembic.script import Script
from sqlalchemy import Column, Integer, Numeric, String

LONGEST_NAME = 100
USAGE = "make migrate-create name=add_invoices"


def create(config: Config, name: str, *, rename: str = "", lose: bool = False) -> None:
    """Writes the migration. Raises SystemExit, with advice and with nothing written, if it should not be written."""
    faults: list[str] = []

    def process(_: object, __: object, directives: list[ops.MigrationScript]) -> None:
        faults.append(process_changes(directives[0], rename) or loss_of(directives[0], lose=lose))
        if faults[0]:
            directives.clear()

    write(config, name, autogenerate=True, process_revision_directives=process, faults=faults)


def write(config: Config, name: str, *, faults: Iterable[str] = (), **options: Any) -> None:
    """Writes the migration. `options` are those of Alembic's command. Raises SystemExit with the first fault."""
    if fault := name_fault(name):
        sys.exit(fault)
    with redirect_stdout(io.StringIO()):  # Alembic prints its steps
        written = command.revision(config, name, **options)
    if fault := next(filter(None, faults), ""):
        sys.exit(fault)
    assert isinstance(written, Script)
    print(f"Wrote {os.path.relpath(written.path)}: read it before you commit it.")


def name_fault(name: str) -> str:
    """Returns what is wrong with the name, or an empty string if it is valid."""
    if not name.strip():
        return f"Say what it does: {USAGE}"
    if not name.isprintable() or not any(map(str.isalnum, name)) or len(name) > LONGEST_NAME:
        return f"The name must be one line of at most {LONGEST_NAME} characters, with a letter or digit in it: {USAGE}"
    return ""


def process_changes(script: ops.MigrationScript, rename: str) -> str:
    """Completes the script. Returns why it is not to be written, or an empty string if it is."""
    upgrade, downgrade = script.upgrade_ops, script.downgrade_ops
    assert upgrade is not None
    assert downgrade is not None
    if rename and not rename_column(upgrade, rename):
        return f"{rename} does not name a removed and a new column: write rename=table.old:new"
    upgrade.reverse_into(downgrade)
    if upgrade.is_empty():
        return "The models and the database are the same: nothing was written. To write one by hand, add empty=1"
    return ""


def rename_column(upgrade: ops.UpgradeOps, rename: str) -> bool:
    """Turns a dropped and an added column into a renamed one. Returns whether there was such a pair."""
    for table in tables(upgrade):
        for dropped, added in pairs(table):
            if rename == name_of_pair(dropped, added):
                place = upgrade.ops.index(table)
                upgrade.ops[place : place + 1] = renaming(table, dropped, added)
                return True
    return False


def renaming(table: ops.ModifyTableOps, dropped: ops.DropColumnOp, added: ops.AddColumnOp) -> list[ops.ModifyTableOps]:
    """Drops indexes and constraints first, so that a downgrade restores them last. SQLite needs separate steps."""
    renamed = RenameColumnOp(table.table_name, dropped.column_name, modify_name=added.column.name)
    renamed.existing_type = dropped.to_column().type
    renamed.existing_nullable = dropped.to_column().nullable
    rest = [change for change in table.ops if change not in (dropped, added)]
    of_old = [change for change in rest if isinstance(change, ops.DropIndexOp | ops.DropConstraintOp)]
    steps = of_old, [renamed], [change for change in rest if change not in of_old]
    return [ops.ModifyTableOps(table.table_name, step, schema=table.schema) for step in steps if step]


class RenameColumnOp(ops.AlterColumnOp):
    """Renames a column, and renames it back in a downgrade."""

    def reverse(self) -> Self:
        """Alembic's own method does not restore the name."""
        renamed = type(self)(self.table_name, str(self.modify_name), modify_name=self.column_name)
        renamed.existing_type, renamed.existing_nullable = self.existing_type, self.existing_nullable
        return renamed


def tables(upgrade: ops.UpgradeOps) -> list[ops.ModifyTableOps]:
    """Returns the changes within existing tables."""
    return [change for change in upgrade.ops if isinstance(change, ops.ModifyTableOps)]


def pairs(table: ops.ModifyTableOps) -> Iterator[tuple[ops.DropColumnOp, ops.AddColumnOp]]:
    """Yields each pair of a dropped and an added column of the same kind."""
    added = [change for change in table.ops if isinstance(change, ops.AddColumnOp)]
    for dropped in table.ops:
        if isinstance(dropped, ops.DropColumnOp):
            kind = affinity(dropped.to_column())
            yield from ((dropped, new) for new in added if affinity(new.column) is kind)


def affinity(column: Column[Any]) -> object:
    """Returns the family of the column's type, which is the same for INTEGER and BIGINT, for example."""
    return column.type._type_affinity  # noqa: SLF001 (SQLAlchemy has no public name for the family of a type)


def name_of_pair(dropped: ops.DropColumnOp, added: ops.AddColumnOp) -> str:
    """Returns the pair as `rename=` takes it: table.old:new."""
    return f"{dropped.table_name}.{dropped.column_name}:{added.column.name}"


def loss_of(script: ops.MigrationScript, *, lose: bool) -> str:
    """Returns what would be lost and what to do, or an empty string if nothing would be, or if it may be."""
    upgrade = script.upgrade_ops
    assert upgrade is not None
    losses = sorted(lost(upgrade.ops))
    if lose or not losses:
        return ""
    renames = sorted(name_of_pair(*pair) for table in tables(upgrade) for pair in pairs(table))
    lines = [
        "This migration would lose data, so it was not written. It would lose:",
        *(f"    {loss}" for loss in losses),
        *(f"If a column only has a new name, add rename={pair}" for pair in renames),
        "If this may be lost, add yes=1",
    ]
    return "\n".join(lines)


def lost(changes: Iterable[ops.MigrateOperation]) -> Iterator[str]:
    """Yields each table and column whose values the changes would delete or might round."""
    for change in changes:
        if isinstance(change, ops.ModifyTableOps):
            yield from lost(change.ops)
        elif isinstance(change, ops.DropTableOp):
            yield f"the table {change.table_name}"
        elif isinstance(change, ops.DropColumnOp):
            yield f"{change.table_name}.{change.column_name}"
        elif isinstance(change, ops.AlterColumnOp) and may_round(change.existing_type, change.modify_type):
            yield f"{change.table_name}.{change.column_name}, where values do not fit {change.modify_type!r}"


def may_round(old: Any, new: Any) -> bool:
    """Returns whether values may change with the type. Text that is too long is never cut, but causes an error."""
    if new is None or isinstance(new, String):
        return False
    return not (isinstance(old, Integer) and isinstance(new, Integer | Numeric))
