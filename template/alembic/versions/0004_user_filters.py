"""user filters"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INDEXES = {
    "ix_users_updated_at": ["updated_at", "id"],
    "ix_users_full_name": ["full_name", "id"],
    "ix_users_role": ["role", "created_at", "id"],
    "ix_users_is_active": ["is_active", "created_at", "id"],
}
LIVE = sa.text("deleted_at IS NULL")


def upgrade() -> None:
    for name, columns in INDEXES.items():
        op.create_index(name, "users", columns, postgresql_where=LIVE, sqlite_where=LIVE)


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, "users")
