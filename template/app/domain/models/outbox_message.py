from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.models.base import Base

# The due time of a message to be tried at once: so long ago that no clock can delay it.
AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)

_UNDELIVERED = text("delivered_at IS NULL")
_WAITING = text("delivered_at IS NULL AND parked_at IS NULL")
_DELIVERED = text("delivered_at IS NOT NULL")


class OutboxMessage(Base):
    """Something to do after the commit of the transaction that wrote it. It is waiting, delivered or parked."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_waiting", "due_at", "id", postgresql_where=_WAITING, sqlite_where=_WAITING),
        Index("ix_outbox_key", "key", "id", postgresql_where=_UNDELIVERED, sqlite_where=_UNDELIVERED),
        Index("ix_outbox_delivered", "delivered_at", postgresql_where=_DELIVERED, sqlite_where=_DELIVERED),
        # SQLite must never give an ID twice, not even after the row with the greatest one was deleted.
        {"sqlite_autoincrement": True},
    )

    # A sequence of the database gives the IDs, so that a message that is written after the commit of another has a
    # greater one, whatever clocks say.
    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(100))
    # Messages with the same key are delivered in their order.
    key: Mapped[str | None] = mapped_column(sa.String(200))
    # JSON; empty once it is delivered.
    payload: Mapped[str] = mapped_column(sa.Text())
    # The ID of the request that wrote the message, for the log.
    request_id: Mapped[str | None] = mapped_column(sa.String(64))
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    # How often a process began to deliver it.
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    # When the message may be tried. While a process delivers it, this is when the claim of that process ends.
    due_at: Mapped[datetime] = mapped_column(default=AT_ONCE)
    error: Mapped[str | None] = mapped_column(sa.String(500))
    parked_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
