from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.models.base import Entity, choice, live_index


class Role(StrEnum):
    """What a user may do; each role includes those before it."""

    USER = "user"
    MODERATOR = "moderator"
    ADMIN = "admin"


class User(Entity):
    """Somebody who can sign in."""

    __tablename__ = "users"
    __table_args__ = (
        live_index("uq_users_email", "email", unique=True),
        live_index("ix_users_created_at", "created_at", "id"),
        live_index("ix_users_updated_at", "updated_at", "id"),
        live_index("ix_users_full_name", "full_name", "id"),
        live_index("ix_users_role", "role", "created_at", "id"),
        live_index("ix_users_is_active", "is_active", "created_at", "id"),
    )

    email: Mapped[str] = mapped_column(sa.String(254))
    password_hash: Mapped[str] = mapped_column(sa.String(255))
    full_name: Mapped[str] = mapped_column(sa.String(100))
    role: Mapped[Role] = mapped_column(choice(Role, "role"), default=Role.USER, server_default=sa.text("'user'"))
    is_active: Mapped[bool] = mapped_column(default=True, server_default=sa.true())
    # When the user showed that they read the e-mails to this address, or an administrator vouched for it.
    email_verified_at: Mapped[datetime | None]
