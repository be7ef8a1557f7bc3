"""Projects of every released version update to the working tree."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from copier import run_update

from scripts.new import ROOT
from tests.conftest import Install, Once, commit, lend_environment, run, some_long
from tests.project_edits import MODEL, NOTE, OVERRIDE, ROUTER_TEST, TARGET, TIDY
from tests.releases import (
    BEFORE_RECORDS,
    IDENTITY,
    README,
    RELEASES,
    WITH_RESOURCES,
    answers,
    conflicts,
    contents,
    edit,
    fresh_renders,
    render,
    template_with_releases,
)
from tests.variants import NONE

OLDEST, *BETWEEN, _ = RELEASES
# Projects had the workflow before it could be chosen.
OFF = {name: choice for name, choice in NONE.items() if name != "ci"}

# --- The edits of a project in the files of the template

SETTING = ("    FIRST_ADMIN_PASSWORD: SecretStr | None = None\n", '    GREETING: str = "Hello"\n')
DEPENDENCY = ("    # Your own dependencies go below this line: an update never touches it.\n", '    "tenacity>=9",\n')
METHOD = ("    async def create(self, data: UserCreate) -> User:\n", TIDY)
INSERTED = {
    "app/core/config.py": SETTING,
    ".env.example": ("# FIRST_ADMIN_PASSWORD=\n", "\n# --- Ours: how we greet\n# GREETING=Hello\n"),
    "pyproject.toml": DEPENDENCY,
    "app/service/user_service.py": METHOD,
    README: ("## Start\n", "\nAsk Ada first.\n"),
}
DELETED = ".pre-commit-config.yaml"
OF_THE_EDITS = "-k 'greeting or note or user or config or unit or openapi or migrations or cost'"

# --- The files that a project adds

ROUTER = """from fastapi import APIRouter, Request

router = APIRouter(prefix="/greetings", tags=["greetings"])


@router.get("")
async def greet(request: Request) -> dict[str, str]:
    return {"greeting": request.app.state.settings.GREETING}
"""
MIGRATION = '''"""notes"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "a1b2c3d4"
down_revision: str | None = "{head}"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "notes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notes")),
    )


def downgrade() -> None:
    op.drop_table("notes")
'''
ADDED = {
    "app/api/v1/greeting_router.py": ROUTER,
    "tests/integration/test_greeting_api.py": ROUTER_TEST,
    "Makefile.local": TARGET,
    "docker/docker-compose.override.yml": OVERRIDE,
}
# The files that `make resource` adds, and the project's edits in them.
OURS = "    async def ours(self) -> None: ...\n"
RULE = ("app/service/note_service.py", "    async def get(", f"{OURS}\n    async def get(")
BY_HAND = {"app/domain/models/note.py": MODEL, "alembic/versions/0003_notes.py": MIGRATION}


@pytest.fixture(scope="module")
def template(once: Once) -> Path:
    return once("released", template_with_releases)


@pytest.fixture(scope="module")
def fresh(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    return fresh_renders(template, tmp_path_factory)


def update(project: Path, **data: Any) -> None:
    run_update(project, data=data, defaults=True, overwrite=True, quiet=True)


@pytest.mark.slow
@pytest.mark.parametrize("version", RELEASES)
def test_what_was_asked_for_later_is_off(
    template: Path, fresh: Callable[..., Path], tmp_path: Path, version: str
) -> None:
    project = render(template, tmp_path / "backend", version, **IDENTITY)
    before = answers(project)

    update(project)

    after = dict(answers(project))
    assert before.items() <= after.items()
    assert {name: value for name, value in after.items() if name not in before and name not in ("profile", "ci")} == {
        name: value for name, value in OFF.items() if name not in before
    }
    assert after["ci"] == "github"
    assert contents(project, README) == contents(fresh(**after), README)


def edited(template: Path, installed: Path, project: Path, version: str) -> Path:
    """Returns a project with edits of its own, installed and committed."""
    render(template, project, version)
    lend_environment(installed, project)
    for name, (place, inserted) in INSERTED.items():
        edit(project, name, place, place + inserted)
    for name, text in ADDED.items():
        (project / name).write_text(text)
    (project / DELETED).unlink()
    if version in WITH_RESOURCES:
        run("make", "install", cwd=project)
        commit(project)
        run("make", "resource", *NOTE, cwd=project)
        edit(project, *RULE)
    else:
        head = "0001" if version == "v0.1.0" else "0002"
        for name, text in BY_HAND.items():
            (project / name).write_text(text.replace("{head}", head))
    run("make", "install", cwd=project)
    commit(project)
    return project


@pytest.mark.slow
@pytest.mark.parametrize("version", some_long({name: name for name in RELEASES}, BETWEEN))
def test_an_edited_project_keeps_its_edits_and_its_tests_pass(
    template: Path,
    installed: Path,
    tmp_path: Path,
    *,
    version: str,
    is_whole: bool,
    record_property: Callable[[str, object], None],
) -> None:
    project = edited(template, installed, tmp_path / "backend", version)
    own = {name: text for name, text in contents(project).items() if name in ADDED or "note" in name}
    start = time.monotonic()

    update(project)

    taken = round(time.monotonic() - start)
    assert conflicts(project) == []
    assert {name: text for name, text in contents(project).items() if name in own} == own
    kept = [name for name, (_, inserted) in INSERTED.items() if inserted in (project / name).read_text("utf-8")]
    assert kept == list(INSERTED)
    assert not (project / DELETED).exists()
    edits = len(kept) + len(own) + 1
    record_property(f"an edited {version} updated", f"0 conflicts, {edits} edits kept, {taken} seconds")

    commit(project)
    run("make", "install", cwd=project)
    commit(project)
    said = run("make", "update", cwd=project)
    assert "merges them" in said
    assert ("The tables of your models changed" in said) == (version in BEFORE_RECORDS)
    commit(project)
    if version in WITH_RESOURCES and version in BEFORE_RECORDS:
        adopt(project, template, version)
    if is_whole:
        run("make", "check", cwd=project)
    else:
        run("make", "lint", cwd=project)
        # Other files are as in a fresh project, whose tests run elsewhere.
        run("make", "test", f"ARGS=-n 2 {OF_THE_EDITS}", cwd=project)
    assert run("git", "status", "--porcelain", cwd=project) == ""
    assert run("make", "greet", cwd=project) == "Hello\n"


def adopt(project: Path, template: Path, version: str) -> None:
    """Adopts the resource, which becomes one that the project could have made today, with its own edits."""
    said = run("make", "resource-adopt", *NOTE, cwd=project)
    assert said.startswith(f"note was made by {version}. This is what you changed since:\n")
    assert f"+{OURS}" in said
    assert conflicts(project) == []
    adopted = {name: text for name, text in contents(project).items() if "note" in name and "alembic" not in name}
    commit(project)
    run("make", "resource-remove", "name=note", "yes=1", cwd=project, status=2)
    for name in adopted:
        (project / name).unlink()
    commit(project)
    run("make", "resource", *NOTE, cwd=project)
    edit(project, *RULE)
    made = {name: text for name, text in contents(project).items() if "note" in name and "alembic" not in name}
    assert made == adopted
    run("git", "reset", "-q", "--hard", "HEAD~1", cwd=project)
    run("git", "clean", "-fdq", "alembic", cwd=project)


def test_what_both_changed_is_in_conflict_and_nothing_is_lost(template: Path, tmp_path: Path) -> None:
    project = render(template, tmp_path / "backend", OLDEST)
    name = "app/service/user_service.py"
    edit(project, name, "return _found(await self.users.get(user_id))", "return await self.ours(user_id)")
    commit(project)

    update(project)

    assert conflicts(project) == [name]
    ours, _, rest = (project / name).read_text("utf-8").partition("<<<<<<< before updating\n")[2].partition("=======\n")
    theirs = rest.partition(">>>>>>> after updating\n")[0]
    assert "return await self.ours(user_id)" in ours
    assert "return found(await self.users.get(user_id))" in theirs


EDITION = """from sqlalchemy.orm import Mapped

from app.domain.models.base import Entity


class Edition(Entity):
    __tablename__ = "editions"

    version: Mapped[int]
"""


@pytest.mark.slow
def test_a_column_that_the_version_of_a_record_would_take_over_is_named(
    template: Path, installed: Path, tmp_path: Path
) -> None:
    project = render(template, tmp_path / "backend", "v0.4.0")
    lend_environment(installed, project)
    (project / "app/domain/models/edition.py").write_text(EDITION)
    run("make", "install", cwd=project)
    commit(project)
    run("make", "update", cwd=project)

    said = run("make", "update", cwd=project)

    assert "if it is a field of a resource:\n    editions\n" in said
    assert "follow the template" not in said


@pytest.mark.slow
def test_edits_that_the_make_update_of_an_old_release_lost_come_back(
    template: Path, installed: Path, tmp_path: Path
) -> None:
    project = render(template, tmp_path / "backend", "v0.3.0")
    lend_environment(installed, project)
    edit(project, "scripts/versions.py", "ALIASES = {", "# Ours: how we write addresses.\nALIASES = {")
    edit(project, "scripts/update.py", "what that means for it.\n", "what that means for it. Ours.\n")
    run("make", "install", cwd=project)
    commit(project)
    assert "took them away with your changes" in run("make", "update", cwd=project)
    assert conflicts(project) == ["scripts/update.py"]

    said = run("make", "update", cwd=project)

    assert "The update from v0.3.0 to v1000.0.0 was not finished: that is done now." in said
    assert conflicts(project) == []
    assert "# Ours: how we write addresses.\nALIASES = {" in (project / "scripts/template/versions.py").read_text()
    assert "what that means for it. Ours.\n" in (project / "scripts/template/update.py").read_text()
    assert (project / "scripts/update.py").read_bytes() == (ROOT / "template/scripts/update.py").read_bytes()
    commit(project)
    assert run("make", "update", cwd=project) == "The project is at v1000.0.0: nothing is newer.\n"
    run("make", "lint", cwd=project)
    assert run("git", "status", "--porcelain", cwd=project) == ""


# --- Code of projects of 0.3.0, with every name that they could import or override

OLD_CODE = {
    "app/api/v1/memo_router.py": """from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from app.api.deps import CurrentUser, SessionDep, ShutdownDep
from app.api.errors import errors
from app.api.routing import ResourceRouter
from app.core.exceptions import found
from app.core.logging import log_request
from app.domain.models.user import User
from app.domain.schemas.base import UNSET, Name, RequestModel
from app.domain.schemas.types import BigInteger, Boolean, Date, DateTime, Float, Integer, JsonObject, Text, Url
from app.domain.schemas.user import UserListQuery, UserResponse
from app.repository.base import Slice
from app.repository.memo_repository import OwnUserRepository

router = ResourceRouter(prefix="/memos", tags=["memos"], responses=errors(401, 503))


class MemoUpdate(RequestModel):
    name: Name = UNSET
    count: Integer = UNSET
    total: BigInteger = UNSET
    share: Float = UNSET
    done: Boolean = UNSET
    due: Date = UNSET
    at: DateTime = UNSET
    text: Text = UNSET
    url: Url = UNSET
    more: JsonObject = UNSET


async def note_shutdown(shutdown: ShutdownDep) -> None:
    log_request(is_announced=shutdown.is_announced)


async def get_repository(session: SessionDep, current_user: CurrentUser) -> OwnUserRepository:
    return OwnUserRepository(session, current_user.id)


@router.get("", dependencies=[Depends(note_shutdown)])
async def list_memos(repository: Annotated[OwnUserRepository, Depends(get_repository)]) -> list[UserResponse]:
    page: Slice[User] = await repository.list(UserListQuery())
    return [UserResponse.model_validate(user) for user in page.items]


@router.get("/{user_id}", responses=errors(404, 422))
async def get_memo(user_id: UUID, repository: Annotated[OwnUserRepository, Depends(get_repository)]) -> UserResponse:
    return UserResponse.model_validate(found(await repository.get(user_id)))


@router.patch("/{user_id}", responses=errors(400, 404, 413, 422))
async def update_memo(
    user_id: UUID,
    data: MemoUpdate,
    repository: Annotated[OwnUserRepository, Depends(get_repository)],
    request: Request,
) -> dict[str, str]:
    changes = data.model_dump(exclude_unset=True, include={"name"})
    user = found(await repository.update(user_id, full_name=changes["name"]))
    return {"name": user.full_name, "project": request.app.state.settings.PROJECT_NAME}


plain = APIRouter()
""",
    "app/repository/memo_repository.py": """from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.models.user import User
from app.repository.user_repository import UserRepository


class OwnUserRepository(UserRepository):
    def __init__(self, session: AsyncSession, owner_id: UUID) -> None:
        super().__init__(session)
        self.owner_id = owner_id

    @property
    def _live(self) -> ColumnElement[bool]:
        return super()._live & (User.id == self.owner_id)
""",
    "app/tasks/memo_job.py": """from datetime import timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cache import Cache
from app.core.session import after_commit
from app.tasks.job import Job, job
from app.tasks.queue import Queue
from app.utils.routes import route_template

USED = (Cache, Job, route_template)


@job(every=timedelta(days=1))
async def count_memos(session: AsyncSession) -> None: ...


def count_later(session: AsyncSession, queue: Queue) -> None:
    after_commit(session, partial(queue.send, count_memos))
""",
    "tests/integration/test_memos.py": """from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.database import Database
from app.domain.models.user import Role
from app.domain.schemas.user import UserCreate
from app.repository.user_repository import UserRepository
from app.tasks.job import discover_jobs
from tests.conftest import SignIn
from tests.factories.user_factory import create_user


async def test_each_user_has_one(sign_in: SignIn, session: AsyncSession, users: UserRepository) -> None:
    other = await create_user(session, full_name="Ada")
    client = await sign_in(Role.USER)

    [own] = (await client.get("/memos")).json()
    changed = await client.patch(f"/memos/{own['id']}", json={"name": "Me"})

    assert changed.json()["name"] == "Me"
    assert (await client.patch(f"/memos/{other.id}", json={"name": "Me"})).status_code == 404
    assert (await client.get(f"/memos/{other.id}")).status_code == 404
    assert await users.get(other.id) is other


async def test_settings_can_be_replaced(
    app: FastAPI, client: AsyncClient, settings: Settings, database: Database, new_user: UserCreate
) -> None:
    app.state.settings = settings.model_copy(update={"REGISTRATION_ENABLED": True})

    assert (await client.post("/auth/register", json=new_user.model_dump(exclude={"role"}))).status_code == 201
    async with database.reading() as session:
        assert await UserRepository(session).get_by_email(new_user.email) is not None


def test_the_job_is_found() -> None:
    assert "count_memos" in {job.name for job in discover_jobs()}
""",
}


@pytest.mark.slow
def test_code_of_0_3_0_works_after_the_update_without_a_change(
    template: Path, install: Install, tmp_path: Path, *, is_whole: bool
) -> None:
    project = render(template, tmp_path / "backend", "v0.3.0", profile="full")
    lend_environment(install(profile="full"), project)
    for name, text in OLD_CODE.items():
        (project / name).write_text(text)
    run("make", "install", cwd=project)
    commit(project)
    run("make", "test", "ARGS=tests/integration/test_memos.py", cwd=project)

    run("make", "update", cwd=project)

    assert conflicts(project) == []
    assert {name: text for name, text in contents(project).items() if name in OLD_CODE} == {
        name: text.encode() for name, text in OLD_CODE.items()
    }
    commit(project)
    run("make", "install", cwd=project)
    run("make", "lint", cwd=project)
    # The project's own tests, and those about everything that is discovered or was moved.
    core = "-k 'memos or unit or openapi or access or cost or head_api or tasks'"
    run("make", "test", f"ARGS=-n 2 {'' if is_whole else core}", cwd=project)
