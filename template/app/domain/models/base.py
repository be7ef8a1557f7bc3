"""What all models share."""

from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import DateTime, Enum, Index, MetaData, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from uuid_utils.compat import uuid7


def utc_now() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    # Names that do not depend on the server, so that a migration can refer to any constraint.
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012 (read by SQLAlchemy at class creation)


class Entity(Base):
    """A record with an identity and a life: created, updated, and at last marked as deleted."""

    __abstract__ = True

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    created_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=func.now(), onupdate=utc_now)
    deleted_at: Mapped[datetime | None]


def choice(kind: type[StrEnum], name: str) -> Enum:
    """A column that holds one of these values, which a constraint of this name checks."""
    values = [member.value for member in kind]
    length = max(16, *map(len, values))
    return Enum(
        kind, name=name, native_enum=False, create_constraint=True, length=length, values_callable=lambda _: values
    )


def live_index(name: str, *columns: str, unique: bool = False) -> Index:
    """An index over the records that are not deleted: a deleted one neither takes a name nor costs a search."""
    live = text("deleted_at IS NULL")
    return Index(name, *columns, unique=unique, postgresql_where=live, sqlite_where=live)
