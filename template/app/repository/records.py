"""Records of one model, straight from the rows: what a unit of work does for one costs more than its statement."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Insert, Select, insert, inspect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapper, Session, make_transient_to_detached

from app.core.session import ReadSession


async def read[Model: DeclarativeBase](
    session: AsyncSession, model: type[Model], statement: Select[Any], values: Mapping[str, Any]
) -> Sequence[Sequence[Any]]:
    """The rows of a statement that selects the model first: each begins with a record of it.

    A session that writes keeps track of the record; one that only reads has no use for it any more, so that the record
    is detached. A model that has more than the columns of its table (relationships, expressions, validators) is left to
    the ORM; for one that has not, the ORM raises none of its events.
    """
    if not isinstance(session, ReadSession) or not _is_plain(model):
        rows: Sequence[Sequence[Any]] = (await session.execute(statement, values)).all()
        return rows
    mapper = inspect(model)
    keys = mapper.columns.keys()
    return [(_record(mapper, keys, row), *row[len(keys) :]) for row in await session.rows(statement, values)]


async def create[Model: DeclarativeBase](session: AsyncSession, model: type[Model], values: Mapping[str, Any]) -> Model:
    """Inserts a record, as the database made it, into the session that keeps track of it from then on."""
    return await session.run_sync(_create, model, values)


def _create[Model: DeclarativeBase](session: Session, model: type[Model], values: Mapping[str, Any]) -> Model:
    if not _is_plain(model):
        record = model(**values)
        session.add(record)
        session.flush()
        return record
    mapper = inspect(model)
    inserted: Model = _record(mapper, mapper.columns.keys(), session.connection().execute(_insert(model), values).one())
    session.add(inserted)
    return inserted


def _record(mapper: Mapper[Any], keys: Sequence[str], row: Sequence[Any]) -> Any:
    """Of the first columns of the row."""
    record = mapper.class_manager.new_instance()
    record.__dict__.update(zip(keys, row, strict=False))
    make_transient_to_detached(record)
    return record


@cache
def _insert(model: type[DeclarativeBase]) -> Insert:
    return insert(model).returning(*inspect(model).columns)


@cache
def _is_plain(model: type[DeclarativeBase]) -> bool:
    """Whether all that the ORM would do for it is to give the columns of its table their names."""
    mapper = inspect(model)
    loaded = [attribute.key for attribute in mapper.column_attrs if not attribute.deferred]
    has_rules = mapper.validators or mapper.polymorphic_on is not None or mapper.version_id_col is not None
    return mapper.attrs.keys() == loaded == mapper.local_table.columns.keys() and not has_rules
