"""The order of a list, and the records that follow one of them in it: keyset pagination."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, bindparam, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from app.domain.models.base import Entity
from app.domain.schemas.cursor import InvalidCursorError, Position


@dataclass(frozen=True)
class Keyset:
    """Orders records by one column, and those with the same value by their ID, so that no record is on two pages.

    Null sorts as the largest value on every database.
    """

    column: InstrumentedAttribute[Any]
    identity: InstrumentedAttribute[UUID]
    ascending: bool

    @property
    def order(self) -> Sequence[ColumnElement[Any]]:
        """The expressions by which the list is ordered."""
        if self.ascending:
            order = self.column.asc()
            return order.nulls_last() if self._is_nullable else order, self.identity.asc()
        order = self.column.desc()
        return order.nulls_first() if self._is_nullable else order, self.identity.desc()

    def position(self, record: Entity) -> Position:
        """Returns the position of this record in the order."""
        value = getattr(record, self.column.key)
        return Position(self._adapter.dump_python(value, mode="json"), str(record.id))

    def after(self, *, null: bool) -> Sequence[ColumnElement[bool]]:
        """Returns a condition for each range of records that follow a position, in the order of the ranges.

        An index serves each range, but not their union. `null` says whether the position has no value; `values` returns
        the parameters of the conditions.
        """
        record_id = bindparam("after_id", type_=self.identity.type)
        if null:
            later = self.identity > record_id if self.ascending else self.identity < record_id
            nulls = self.column.is_(None) & later
            return [nulls] if self.ascending else [nulls, self.column.is_not(None)]
        key, here = (
            tuple_(self.column, self.identity),
            tuple_(bindparam("after_value", type_=self.column.type), record_id),
        )
        if not self.ascending:
            return [key < here]
        return [key > here, self.column.is_(None)] if self._is_nullable else [key > here]

    def values(self, position: Position) -> dict[str, Any]:
        """Returns the parameters of `after` for this position. Raises InvalidCursorError."""
        try:
            value = None if position.value is None else self._adapter.validate_python(position.value)
        except ValidationError:
            raise InvalidCursorError from None  # the column had another type when the cursor was written
        return {"after_value": value, "after_id": UUID(position.record_id)}

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        """Turns a value of the column into JSON and back."""
        return _adapter(self.column.type.python_type)

    @property
    def _is_nullable(self) -> bool:
        return bool(getattr(self.column.expression, "nullable", False))


_adapter = cache(TypeAdapter[Any])
