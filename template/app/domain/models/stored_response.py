from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.models.base import Base


class StoredResponse(Base):
    """The response to a request with an `Idempotency-Key`, to be sent again if the request is repeated."""

    __tablename__ = "stored_responses"

    # A hash of the caller, the method, the path and the key.
    id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    # A keyed hash of the body, since the body may hold a password.
    fingerprint: Mapped[str] = mapped_column(sa.String(64))
    status: Mapped[int]
    headers: Mapped[dict[str, str]] = mapped_column(sa.JSON())
    body: Mapped[bytes] = mapped_column(sa.LargeBinary())
    expires_at: Mapped[datetime] = mapped_column(index=True)
