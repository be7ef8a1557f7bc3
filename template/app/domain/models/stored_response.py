from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.models.base import Base


class StoredResponse(Base):
    """What a request with an `Idempotency-Key` got, for when it comes again."""

    __tablename__ = "stored_responses"

    # Of the caller, the method, the path and the key.
    id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    # Of the body, which may hold a password: a keyed hash.
    fingerprint: Mapped[str] = mapped_column(sa.String(64))
    status: Mapped[int]
    headers: Mapped[dict[str, str]] = mapped_column(sa.JSON())
    body: Mapped[bytes] = mapped_column(sa.LargeBinary())
    expires_at: Mapped[datetime] = mapped_column(index=True)
