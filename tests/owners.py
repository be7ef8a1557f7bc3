"""Lists what the owner of a project may change. Each change requires one edit of the tests, or none."""

from dataclasses import dataclass
from pathlib import Path

from tests.recipes import Edit, recipe


@dataclass(frozen=True)
class Change:
    """A change of the code, and the one edit of the tests that it requires."""

    code: tuple[Edit, ...]
    tests: Edit | None = None
    renamed: tuple[str, str] | None = None  # at each occurrence
    migration: str = ""

    def make(self, project: Path) -> None:
        for edit in (*self.code, *([self.tests] if self.tests else [])):
            edit.make(project)
        if self.renamed:
            for path in (*(project / "app").rglob("*.py"), project / "scripts/seed.py"):
                path.write_text(path.read_text(encoding="utf-8").replace(*self.renamed), encoding="utf-8")
        if self.migration:
            add_migration(project, self.migration)


MIGRATION = """\"\"\"{name}\"\"\"

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "{revision}"
down_revision: str | None = "{before}"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

"""


def of_recipe(title: str) -> Change:
    edits = recipe(title)
    (tests,) = [edit for edit in edits if edit.file.startswith("tests/")]
    return Change(tuple(edit for edit in edits if edit is not tests), tests)


def add_migration(project: Path, body: str) -> None:
    """Adds a migration after all others."""
    folder = project / "alembic/versions"
    before = max(path.name[:4] for path in folder.glob("0*.py"))
    revision = f"{int(before) + 1:04}"
    head = MIGRATION.format(name=f"the owner's {revision}", revision=revision, before=before)
    (folder / f"{revision}_owner.py").write_text(head + body, encoding="utf-8")


ROUTERS = "app/api/v1"
USER_SCHEMA = "app/domain/schemas/user.py"
AUTH_SCHEMA = "app/domain/schemas/auth.py"
API = "tests/api.py"
FACTORY = "tests/factories/user_factory.py"

RENAME = """
def upgrade() -> None:
    op.alter_column("users", "full_name", new_column_name="display_name")
    op.execute("ALTER INDEX ix_users_full_name RENAME TO ix_users_display_name")


def downgrade() -> None:
    op.execute("ALTER INDEX ix_users_display_name RENAME TO ix_users_full_name")
    op.alter_column("users", "display_name", new_column_name="full_name")
"""
UNIQUE = """
def upgrade() -> None:
    op.add_column("users", sa.Column("username", sa.String(100), nullable=False))
    op.create_index("uq_users_username", "users", ["username"], unique=True, postgresql_where="deleted_at IS NULL")


def downgrade() -> None:
    op.drop_index("uq_users_username", "users")
    op.drop_column("users", "username")
"""

CHANGES = {
    "another prefix": Change((Edit("app/core/settings/server.py", '= "/api/v1"', '= "/rest/v2"'),)),
    "users live elsewhere": Change(
        (Edit(f"{ROUTERS}/user_router.py", 'prefix="/users"', 'prefix="/people"'),),
        Edit(API, 'USERS = "/users"', 'USERS = "/people"'),
    ),
    "a field has another name": Change(
        (),
        Edit(FACTORY, 'NAME = "full_name"', 'NAME = "display_name"'),
        renamed=("full_name", "display_name"),
        migration=RENAME,
    ),
    "users need another unique column": Change(
        (
            Edit(
                "app/domain/models/user.py",
                "    password_hash: Mapped[str]",
                "    username: Mapped[str] = mapped_column(sa.String(100))\n    password_hash: Mapped[str]",
            ),
            Edit(
                "app/domain/models/user.py",
                'live_index("ix_users_created_at"',
                'live_index("uq_users_username", "username", unique=True),\n        live_index("ix_users_created_at"',
            ),
            Edit(
                USER_SCHEMA,
                'an administrator creates."""\n\n',
                'an administrator creates."""\n\n    username: Name\n',
            ),
            Edit(
                USER_SCHEMA,
                'without any secret."""\n\n',
                'without any secret."""\n\n    username: str\n',
            ),
            Edit(
                AUTH_SCHEMA,
                'fields of a registration."""\n\n',
                'fields of a registration."""\n\n    username: Name\n',
            ),
            Edit(
                "scripts/seed.py",
                "            role=Role.ADMIN,\n",
                '            username="root",\n            role=Role.ADMIN,\n',
            ),
        ),
        Edit(
            FACTORY,
            '        "password": PASSWORD,\n',
            '        "password": PASSWORD,\n        "username": f"user-{number}",\n',
        ),
        migration=UNIQUE,
    ),
    "another form of errors": of_recipe("Another form of errors"),
    "sign-in by JSON": of_recipe("Signing in by JSON"),
    "anybody may register": Change(
        (Edit("app/core/config.py", "REGISTRATION_ENABLED: bool = False", "REGISTRATION_ENABLED: bool = True"),)
    ),
}
