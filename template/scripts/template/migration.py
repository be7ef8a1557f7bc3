"""Writes migrations from changes in the models. Unlike Alembic's own comparison, this needs no database."""

import os
from collections.abc import Iterator, Sequence
from textwrap import dedent, indent
from typing import Any, Literal

from alembic import autogenerate, command
from alembic.config import Config
from alembic.operations import ops
from alembic.script import Script, ScriptDirectory
from alembic.util import rev_id
from sqlalchemy import CheckConstraint, Column, Constraint, Enum, PrimaryKeyConstraint, String, Table, false, func, true
from sqlalchemy.types import TypeEngine

from scripts.template.difference import Difference
from scripts.template.project import ROOT

PORTABLE_DEFAULTS: dict[type, str] = {
    type(true()): "sa.true()",
    type(false()): "sa.false()",
    type(func.now()): "sa.func.now()",
}
IMPORTS = {
    "postgresql.": "from sqlalchemy.dialects import postgresql",
    "dt.": "import datetime as dt",
    "Decimal(": "from decimal import Decimal",
    "UUID(": "from uuid import UUID",
}


def write_migration(message: str, differences: Sequence[Difference]) -> str:
    """Writes the file, after the newest migration, and returns its name. Nothing is left of it if that fails."""
    upgrades = "\n".join(body(difference) for difference in differences)
    downgrades = "\n".join(body(difference.reverse) for difference in reversed(differences))
    imports = [line for word, line in IMPORTS.items() if word in upgrades + downgrades]
    script = ScriptDirectory.from_config(Config(ROOT / "alembic.ini")).generate_revision(
        rev_id(),
        message,
        upgrades=indent(upgrades, "    ").strip(),
        downgrades=indent(downgrades, "    ").strip(),
        imports="\n".join(imports),
    )
    return named(script)


def merge_heads() -> str:
    """Merges several heads: a migration of an update and the project's first one both follow the template's last one.

    Returns the name of the new migration, or an empty string if there is only one head.
    """
    config = Config(ROOT / "alembic.ini")
    if len(ScriptDirectory.from_config(config).get_heads()) == 1:
        return ""
    return named(command.merge(config, "heads", message="merge the template's migrations"))


def named(script: Script | None) -> str:
    """Returns the path of the migration in the project."""
    assert script is not None
    return os.path.relpath(script.path, ROOT)


def body(difference: Difference) -> str:
    """Returns the code that leads from one state of the table to the other. It is empty if they are equal."""
    return "\n".join(filter(None, steps(difference)))


def steps(difference: Difference) -> Iterator[str]:
    """Yields the code of each step, in the order of an upgrade. Some of it may be empty."""
    before, after = difference.before, difference.after
    if before is None and after is not None:
        indexes = sorted(after.indexes, key=lambda index: str(index.name))
        yield code([ops.CreateTableOp.from_table(after), *map(ops.CreateIndexOp.from_index, indexes)])
    elif after is None and before is not None:
        yield code([ops.DropTableOp.from_table(before)])
    elif before is not None and after is not None:
        old, new = parts(before), parts(after)
        yield batch(after, [*(old[part][1] for part in old if part not in new), *columns(difference)])
        yield from (filling(after.columns[name], value) for name, value in difference.fills.items())
        yield batch(after, [*requirements(difference), *(new[part][0] for part in new if part not in old)])


def columns(difference: Difference) -> Iterator[ops.MigrateOperation]:
    """Drops columns first, to free their names. A column that is to be filled is nullable until it is filled."""
    for column in difference.dropped:
        yield ops.DropColumnOp(difference.table, column.name)
    for old, new in difference.pairs:
        change = alteration(old, new, is_nullable=new.nullable or new.name in difference.fills)
        if change.has_changes() or change.modify_name:
            yield change
    for column in difference.added:
        is_nullable = column.nullable or column.name in difference.fills
        yield ops.AddColumnOp(difference.table, plain(column, is_nullable=bool(is_nullable)))


def alteration(old: Column[Any], new: Column[Any], *, is_nullable: bool | None) -> ops.AlterColumnOp:
    """Returns the change from the old to the new column. What is equal in both is not in it."""
    return ops.AlterColumnOp(
        new.table.name,
        old.name,
        modify_name=None if old.name == new.name else new.name,
        modify_type=None if repr(plain_type(old)) == repr(plain_type(new)) else plain_type(new),
        modify_server_default=False if default(old) == default(new) else new.server_default,
        modify_nullable=None if old.nullable == is_nullable else is_nullable,
    )


def requirements(difference: Difference) -> Iterator[ops.MigrateOperation]:
    """Yields the NOT NULL constraints, which have to wait until the rows are filled."""
    assert difference.after is not None
    for column in (difference.after.columns[name] for name in difference.fills):
        if not column.nullable:
            yield ops.AlterColumnOp(difference.table, column.name, modify_nullable=False)


def parts(table: Table) -> dict[str, tuple[ops.MigrateOperation, ops.MigrateOperation]]:
    """Returns how to add and how to drop each constraint and index. Equal parts of two tables have equal keys."""
    keys = [each for each in table.constraints if not isinstance(each, PrimaryKeyConstraint)]
    pairs: list[tuple[ops.MigrateOperation, ops.MigrateOperation]] = [
        *((addition(key), ops.DropConstraintOp.from_constraint(key)) for key in keys),
        *((ops.CreateIndexOp.from_index(index), ops.DropIndexOp.from_index(index)) for index in table.indexes),
    ]
    return dict(sorted((batch(table, [pair[0]]), pair) for pair in pairs))


def addition(key: Constraint) -> ops.AddConstraintOp:
    """Takes the condition of a check as text, since Alembic would otherwise add the check a second time."""
    if not isinstance(key, CheckConstraint):
        return ops.AddConstraintOp.from_constraint(key)
    condition = key.sqltext.compile(compile_kwargs={"literal_binds": True, "include_table": False})
    return ops.CreateCheckConstraintOp(key.name, key.table.name, str(condition))


def plain(column: Column[Any], *, is_nullable: bool) -> Column[Any]:
    """Returns the column without its constraints, which are parts of the table."""
    default = getattr(column.server_default, "arg", None)
    return Column(column.name, plain_type(column), nullable=is_nullable, server_default=default)


def plain_type(column: Column[Any]) -> TypeEngine[Any]:
    """Returns the type that the database has: a string for an enum that it does not know."""
    kind = column.type
    return String(kind.length) if isinstance(kind, Enum) and not kind.native_enum else kind


def default(column: Column[Any]) -> str:
    """Returns the default in the database as text, or `None` as text if there is none."""
    return str(getattr(column.server_default, "arg", None))


def filling(column: Column[Any], value: str) -> str:
    """Returns the code that writes the value, given as code, into each row that has none."""
    rows = code([ops.AddColumnOp(column.table.name, Column(column.name, plain_type(column)))])
    rows = rows.replace("op.add_column(", "rows = sa.table(")
    # A dictionary, since a linter takes a keyword argument called token for a secret.
    new = f'"{column.name}": {value}'
    return f"{rows}\nop.execute(rows.update().where(rows.c.{column.name}.is_(None)).values({'{' + new + '}'}))"


def batch(table: Table, operations: list[ops.MigrateOperation]) -> str:
    """SQLite changes a table by creating it anew. Alembic's batches do that, and nothing unusual on other databases."""
    if not operations:
        return ""
    return code([ops.ModifyTableOps(table.name, operations)]).replace(", schema=None", "")


def code(operations: Sequence[ops.MigrateOperation]) -> str:
    """Returns the code of the operations, without the comments that Alembic adds."""
    text = autogenerate.render_python_code(ops.UpgradeOps(operations), render_as_batch=True, render_item=render_default)
    # Alembic writes out the default argument of this type, but does not import it.
    text = text.replace("JSONB(astext_type=Text())", "JSONB()")
    return "\n".join(line for line in dedent("    " + text).splitlines() if line and not line.startswith("# ###"))


def render_default(kind: str, item: object, _: object) -> str | Literal[False]:
    """Keeps defaults portable that databases spell differently: Alembic would write the SQL of one of them."""
    return PORTABLE_DEFAULTS.get(type(getattr(item, "arg", None)), False) if kind == "server_default" else False
