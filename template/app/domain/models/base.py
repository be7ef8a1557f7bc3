"""The base classes of all models, and helpers to declare columns and indexes."""

from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnDefault, DateTime, Enum, ForeignKey, Index, Integer, MetaData, String, event, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Mapper, declared_attr, mapped_column
from uuid_utils.compat import uuid7


def utc_now() -> datetime:
    """Returns the current time in UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """The tables of the application: their naming conventions and their types of columns."""

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


class Versioned:
    """Adds a version number that each write raises."""

    @declared_attr
    @classmethod
    def version(cls) -> Mapped[int]:
        """Starts at 1; each UPDATE that SQLAlchemy sends, by a flush or by a statement, adds 1."""
        version = mapped_column(Integer, default=1, server_default=text("1"))
        # The column object, since a bare name would be ambiguous in an UPDATE of several tables.
        version.column.onupdate = ColumnDefault(version.column + 1, for_update=True)
        return version


@event.listens_for(Versioned, "after_mapper_constructed", propagate=True)
def _return_version(mapper: Mapper[Versioned], _: type[Versioned]) -> None:
    # The UPDATE returns the new value, since an asynchronous session cannot load it lazily. An event sets this, because
    # a model with `__mapper_args__` of its own would replace a value there.
    mapper.eager_defaults = True


class Entity(Versioned, Base):
    """A record with an ID and a life cycle: it is created, updated, and finally marked as deleted."""

    __abstract__ = True

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    created_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=func.now(), onupdate=utc_now)
    deleted_at: Mapped[datetime | None]


class UserLink(Base):
    """A link from a user to a record of another table. A subclass adds the record's column to the primary key."""

    __abstract__ = True

    # This comes after the record's column, so that queries by record use the index of the primary key.
    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True, sort_order=1
    )
    created_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=func.now(), sort_order=2)


class Slugged(Entity):
    """A record that paths name by its slug, a few words that a person can read."""

    __abstract__ = True

    slug: Mapped[str] = mapped_column(String(80))


def choice(kind: type[StrEnum], name: str) -> Enum:
    """Returns the type of a column that holds one of these values, which a constraint of this name checks."""
    values = [member.value for member in kind]
    length = max(16, *map(len, values))
    return Enum(
        kind, name=name, native_enum=False, create_constraint=True, length=length, values_callable=lambda _: values
    )


def live_index(name: str, *columns: str, unique: bool = False) -> Index:
    """Returns an index of the records that are not deleted: a deleted one neither blocks a name nor slows a search."""
    live = text("deleted_at IS NULL")
    return Index(name, *columns, unique=unique, postgresql_where=live, sqlite_where=live)
