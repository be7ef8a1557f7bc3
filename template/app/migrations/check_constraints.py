"""Compares CHECK constraints, such as those of `choice()`, which Alembic does not compare by itself.

A database stores a constraint in a normalized form. Hence the model's constraint is created on a temporary table and
read back before the two are compared.
"""

from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.plugins import Plugin
from alembic.util import PriorityDispatchResult
from sqlalchemy import CheckConstraint, Column, Connection, Enum, MetaData, String, Table, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import UserDefinedType

COPY = "alembic_checks"

Constraints = dict[str, CheckConstraint]


def setup(plugin: Plugin) -> None:
    """Has Alembic compare CHECK constraints as well. Alembic calls it."""
    plugin.add_autogenerate_comparator(compare, "table", "check_constraints")


def compare(
    context: AutogenContext, changes: ops.ModifyTableOps, _schema: str | None, _name: str, *tables: Table | None
) -> PriorityDispatchResult:
    """Adds the constraints that differ to the changes of this table."""
    stored, model = tables
    if stored is None or model is None or context.connection is None:
        return PriorityDispatchResult.CONTINUE
    old, new = _by_name(stored), _by_name(model)
    differ = _different(context.connection, stored, model, new)
    dropped = [ops.DropConstraintOp.from_constraint(old[name]) for name in differ if name in old]
    added = [ops.AddConstraintOp.from_constraint(new[name]) for name in differ if name in new]
    changes.ops[:] = [*dropped, *map(_without_constraint, changes.ops), *added]
    return PriorityDispatchResult.CONTINUE


def _by_name(table: Table) -> Constraints:
    """Returns the named constraints; an unnamed one cannot be dropped."""
    checks = (check for check in table.constraints if isinstance(check, CheckConstraint))
    return {str(check.name): check for check in checks if isinstance(check.name, str)}


def _different(connection: Connection, stored: Table, model: Table, new: Constraints) -> list[str]:
    old = _texts(connection, stored.name, stored.schema)
    wanted = _as_stored(connection, model, new)
    if wanted is None:  # a type may not exist yet: compare the names alone
        return sorted(old.keys() ^ new.keys())
    return [name for name in sorted(old.keys() | wanted.keys()) if old.get(name) != wanted.get(name)]


def _texts(connection: Connection, table: str, schema: str | None = None) -> dict[str, str]:
    checks = inspect(connection).get_check_constraints(table, schema)
    return {str(check["name"]): str(check["sqltext"]) for check in checks if check["name"]}


def _as_stored(connection: Connection, model: Table, checks: Constraints) -> dict[str, str] | None:
    """Returns the form in which the database stores these constraints, or None if it cannot create them.

    The temporary table that it creates for this is rolled back.
    """
    compiler = connection.dialect.statement_compiler(connection.dialect, None)
    copy = Table(COPY, MetaData(), prefixes=["TEMPORARY"])
    for column in model.columns:
        copy.append_column(Column(column.name, BareType(column.type.compile(connection.dialect))))
    for name, check in checks.items():
        sql = compiler.process(check.sqltext, include_table=False, literal_binds=True)
        copy.append_constraint(CheckConstraint(text(sql), name=name))
    savepoint = connection.begin_nested()
    try:
        copy.create(connection)
        return _texts(connection, COPY)
    except DBAPIError:
        return None
    finally:
        savepoint.rollback()


class BareType(UserDefinedType[Any]):
    """A type with this name in the database, without the constraint that the model's type would add."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: object) -> str:
        """Returns the name of the type in SQL."""
        return self.name


def _without_constraint(change: ops.MigrateOperation) -> ops.MigrateOperation:
    """Removes the constraint that Alembic would create with the type: `compare` adds it already."""
    if isinstance(change, ops.AlterColumnOp):
        change.modify_type = _plain(change.modify_type)
    elif isinstance(change, ops.AddColumnOp):
        column = change.column._copy()  # noqa: SLF001 (SQLAlchemy has no public copy of a column; Alembic calls this one)
        column.type = _plain(column.type)
        change.column = column
    return change


def _plain(kind: Any) -> Any:
    return String(kind.length) if isinstance(kind, Enum) and not kind.native_enum else kind
