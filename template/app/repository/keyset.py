"""The order of a list, and the records that follow one of them in it: keyset pagination."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from app.domain.models.base import Entity
from app.domain.schemas.cursor import InvalidCursorError, Position


@dataclass(frozen=True)
class Keyset:
    """Records by one column, and those with the same value by their ID, so that no record is on two pages.

    Null sorts as the largest value on every database.
    """

    column: InstrumentedAttribute[Any]
    identity: InstrumentedAttribute[UUID]
    ascending: bool

    @property
    def order(self) -> Sequence[ColumnElement[Any]]:
        if self.ascending:
            order = self.column.asc()
            return order.nulls_last() if self._is_nullable else order, self.identity.asc()
        order = self.column.desc()
        return order.nulls_first() if self._is_nullable else order, self.identity.desc()

    def position(self, record: Entity) -> Position:
        value = getattr(record, self.column.key)
        return Position(self._adapter.dump_python(value, mode="json"), str(record.id))

    def after(self, position: Position) -> Sequence[ColumnElement[bool]]:
        """The records that follow, as ranges in their order. An index serves each of them, but not their union.

        Raises InvalidCursorError.
        """
        record_id = UUID(position.record_id)
        if position.value is None:
            later = self.identity > record_id if self.ascending else self.identity < record_id
            nulls = self.column.is_(None) & later
            return [nulls] if self.ascending else [nulls, self.column.is_not(None)]
        key = tuple_(self.column, self.identity)
        here = tuple_(literal(self._value(position), self.column.type), literal(record_id, self.identity.type))
        if not self.ascending:
            return [key < here]
        return [key > here, self.column.is_(None)] if self._is_nullable else [key > here]

    def _value(self, position: Position) -> Any:
        try:
            return self._adapter.validate_python(position.value)
        except ValidationError:
            raise InvalidCursorError from None  # the column had another type when the cursor was written

    @property
    def _adapter(self) -> TypeAdapter[Any]:
        """Turns a value of the column into JSON and back."""
        return _adapter(self.column.type.python_type)

    @property
    def _is_nullable(self) -> bool:
        return bool(getattr(self.column.expression, "nullable", False))


_adapter = cache(TypeAdapter[Any])
