"""The difference between two states of a table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from sqlalchemy import BigInteger, Column, Enum, Integer, Numeric, String, Table, Text
from sqlalchemy.types import TypeEngine

Columns = list[Column[Any]]


@dataclass(frozen=True)
class Difference:
    """A table before and after a change. None means that it does not exist."""

    before: Table | None
    after: Table | None
    renames: Mapping[str, str] = field(default_factory=dict)  # from old columns to new ones
    fills: Mapping[str, str] = field(default_factory=dict)  # the values for rows that have none, as Python code

    @property
    def table(self) -> str:
        """Returns the name of the table, which a change keeps."""
        table = self.before if self.after is None else self.after
        assert table is not None
        return table.name

    @property
    def reverse(self) -> Self:
        """Returns the difference that leads back. It fills no rows."""
        back = {new: old for old, new in self.renames.items()}
        return replace(self, before=self.after, after=self.before, renames=back, fills={})

    @property
    def pairs(self) -> list[tuple[Column[Any], Column[Any]]]:
        """The columns that stay, as they were and as they are now."""
        if self.before is None or self.after is None:
            return []
        before = {self.renames.get(column.name, column.name): column for column in self.before.columns}
        return [(before[column.name], column) for column in self.after.columns if column.name in before]

    @property
    def dropped(self) -> Columns:
        """Returns the columns that the change deletes, as they were."""
        return without(self.before, [old for old, _ in self.pairs])

    @property
    def added(self) -> Columns:
        """Returns the columns that the change adds, as they are now."""
        return without(self.after, [new for _, new in self.pairs])

    @property
    def required(self) -> list[str]:
        """The columns for which existing rows may lack a value. A new table has no rows."""
        if self.before is None:
            return []
        new = [column.name for column in self.added if not column.nullable and column.server_default is None]
        return new + [new.name for old, new in self.pairs if old.nullable and not new.nullable]

    @property
    def narrowed(self) -> Iterator[tuple[Column[Any], Column[Any]]]:
        """The columns whose new type may not hold every value of the old one."""
        return ((old, new) for old, new in self.pairs if not holds(new.type, old.type))


def without(table: Table | None, columns: Columns) -> Columns:
    """Returns the columns of the table except for these, or an empty list if there is no table."""
    # By identity: a comparison of columns is an SQL expression.
    known = {id(column) for column in columns}
    return [column for column in table.columns if id(column) not in known] if table is not None else []


def holds(new: TypeEngine[Any], old: TypeEngine[Any]) -> bool:
    """Returns whether every value of the old type is one of the new type."""
    if isinstance(new, Enum):
        return isinstance(old, Enum) and set(old.enums) <= set(new.enums)
    if isinstance(new, Text):
        return isinstance(old, String)
    if isinstance(new, String):
        return isinstance(old, String) and not isinstance(old, Text) and (old.length or 0) <= (new.length or 0)
    if isinstance(new, Numeric) and isinstance(old, Numeric):
        return digits(old) <= digits(new) and (old.scale or 0) <= (new.scale or 0)
    if isinstance(new, BigInteger):
        return isinstance(old, Integer)
    return repr(new) == repr(old)


def digits(kind: Numeric[Any]) -> int:
    """Returns the number of digits before the decimal point."""
    return (kind.precision or 0) - (kind.scale or 0)
