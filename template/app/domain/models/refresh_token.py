from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, func, text
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from app.core.device import LONGEST_CLIENT, LONGEST_USER_AGENT
from app.domain.models.base import Base, Versioned, utc_now

# A session is alive while it has one token that was neither used nor revoked.
CURRENT = text("used_at IS NULL AND revoked_at IS NULL")

# The version of UUIDs that begin with their time, in milliseconds.
WITH_TIME = 7


class RefreshToken(Versioned, Base):
    """One of the refresh tokens that a session has, one after the other, from sign-in to sign-out."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (Index("ix_refresh_tokens_current", "session_id", postgresql_where=CURRENT, sqlite_where=CURRENT),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    session_id: Mapped[UUID]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    # The device that got this token, until the token is used or revoked.
    user_agent: Mapped[str | None] = mapped_column(String(LONGEST_USER_AGENT))
    client: Mapped[str | None] = mapped_column(String(LONGEST_CLIENT))

    @property
    def session_created_at(self) -> datetime:
        """The time at which the session began: a UUIDv7 contains it, to the millisecond."""
        if self.session_id.version != WITH_TIME:
            return self.created_at
        return datetime.fromtimestamp((self.session_id.int >> 80) / 1000, UTC)
