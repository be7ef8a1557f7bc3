"""devices"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("refresh_tokens", sa.Column("user_agent", sa.String(200), nullable=True))
    op.add_column("refresh_tokens", sa.Column("client", sa.String(64), nullable=True))


def downgrade() -> None:
    op.drop_column("refresh_tokens", "client")
    op.drop_column("refresh_tokens", "user_agent")
