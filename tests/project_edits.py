"""Changes projects as people do, in sets of edits, at places that every release has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import run
from tests.edits import Edit

ROUTER = """from fastapi import APIRouter

router = APIRouter(prefix="/greetings", tags=["greetings"])


@router.get("")
async def greet() -> dict[str, str]:
    return {"greeting": "Hello"}
"""
ROUTER_TEST = """from httpx2 import AsyncClient


async def test_it_greets(client: AsyncClient) -> None:
    assert (await client.get("/greetings")).json() == {"greeting": "Hello"}
"""
ROUTE = """

@router.get("/{user_id}/greeting")
async def greet_user(user_id: UUID) -> MessageResponse:
    return MessageResponse(message=f"Hello, {user_id}")
"""
TIDY = (
    '        """The name is tidied up first."""\n'
    '        data = data.model_copy(update={"full_name": " ".join(data.full_name.split())})\n'
)
FIND = """
    async def find(self, user_id: UUID) -> User | None:
        return await self.users.get(user_id)
"""
MODEL = """from sqlalchemy.orm import Mapped

from app.domain.models.base import Entity


class Note(Entity):
    __tablename__ = "notes"

    text: Mapped[str]
"""
MIGRATION = '''"""notes"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "a1b2c3d4"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table("notes", sa.Column("id", sa.Uuid(), primary_key=True), sa.Column("text", sa.String()))
    op.add_column("users", sa.Column("nickname", sa.String(50), nullable=True))


def downgrade() -> None:
    op.drop_column("users", "nickname")
    op.drop_table("notes")
'''
NICKNAME = "    nickname: Mapped[str | None] = mapped_column(default=None)\n"
OVERRIDE = "services:\n  mail:\n    image: axllent/mailpit\n"
TARGET = ".PHONY: greet\ngreet: ## Greet\n\t@echo Hello\n"
OURS = "    async def ours(self) -> None: ...\n\n"
NOTE = ("name=note", "fields=text:text author:ref(user)?", "access=owner")
SERVICE = "app/service/user_service.py"


@dataclass(frozen=True)
class Edits:
    edits: Sequence[Edit] = ()
    added: Mapping[str, str] = field(default_factory=dict)
    moved: Mapping[str, str] = field(default_factory=dict)
    deleted: Sequence[str] = ()
    answers: Mapping[str, Any] = field(default_factory=dict)  # given to the update
    resource: Sequence[str] = ()  # the arguments of `make resource`, which runs first
    tables: bool = False  # whether `make update` must compare the tables as well

    def make(self, project: Path) -> None:
        if self.resource:
            run("make", "resource", *self.resource, cwd=project)
        for edit in self.edits:
            edit.make(project)
        for name, text in self.added.items():
            (project / name).write_text(text)
        for name, place in self.moved.items():
            (project / place).parent.mkdir(parents=True, exist_ok=True)
            (project / name).rename(project / place)
        for name in self.deleted:
            (project / name).unlink()

    def kept(self, project: Path) -> list[bool]:
        """Returns for each edit whether it is still there."""
        return [
            *(edit.code.strip("\n") in read(project / edit.file) for edit in self.edits),
            *(text == read(project / name) for name, text in self.added.items()),
            *(not (project / name).exists() and (project / place).exists() for name, place in self.moved.items()),
            *(not (project / name).exists() for name in self.deleted),
        ]

    @property
    def files(self) -> set[str]:
        return {*(edit.file for edit in self.edits), *self.added, *self.moved, *self.moved.values(), *self.deleted}


def read(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""


UNTOUCHED = "nothing"
SETS = {
    UNTOUCHED: Edits(),
    "settings": Edits(
        [
            Edit(
                "app/core/config.py",
                r"^    FIRST_ADMIN_PASSWORD: SecretStr \| None = None\n",
                '    GREETING: str = "Hi"\n',
            ),
            Edit("app/core/config.py", r'(?<="ERROR"\] = )"INFO"', '"WARNING"', instead=True),
            Edit(".env.example", r"^# FIRST_ADMIN_PASSWORD=\n", "\n# --- Ours: how we greet\n# GREETING=Hi\n"),
        ]
    ),
    "routes": Edits(
        [Edit("app/api/v1/user_router.py", r"\Z", ROUTE)],
        {"app/api/v1/greeting_router.py": ROUTER, "tests/integration/test_greeting_api.py": ROUTER_TEST},
    ),
    "service rules": Edits(
        [
            Edit(SERVICE, r"^    async def create\(self, data: UserCreate\) -> User:\n", TIDY),
            Edit(SERVICE, r"(?<=\n)(?=\n    async def update\()", FIND),
            Edit(SERVICE, r"self\.users\.list\(query\)$", "self.users.list(query)  # ours", instead=True),
        ]
    ),
    "models and migrations": Edits(
        [Edit("app/domain/models/user.py", r"^    is_active: Mapped\[bool\] = .*\n", NICKNAME)],
        {"app/domain/models/note.py": MODEL, "alembic/versions/0001a_notes.py": MIGRATION},
        tables=True,
    ),
    "dependencies, compose and Make": Edits(
        [
            Edit("pyproject.toml", r"^    # Your own dependencies go below this line.*\n", '    "tenacity>=9",\n'),
            Edit("docker/docker-compose.yml", r"^  app:\n(?:    .*\n)*?    restart: .*\n", "    cpus: 2\n"),
            Edit("Makefile", r"\Z", "\n.PHONY: hello\nhello: ## Say hello\n\t@echo Hello\n"),
        ],
        {"Makefile.local": TARGET, "docker/docker-compose.override.yml": OVERRIDE},
    ),
    "an option switched": Edits(
        [Edit("README.md", r"^## Start\n", "\nAsk Ada first.\n")], answers={"observability": ["tracing"]}
    ),
    "resources": Edits(
        [Edit("app/service/note_service.py", r"(?=^    async def get\()", OURS)], resource=NOTE, tables=True
    ),
    "files moved and deleted": Edits(
        moved={"app/middleware/cors.py": "app/middleware/origins.py", "AGENTS.md": "docs/AGENTS.md"},
        deleted=[".pre-commit-config.yaml", "LICENSE", "tests/unit/test_logging.py"],
    ),
}
