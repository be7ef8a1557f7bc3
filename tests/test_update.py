"""`make update` and related targets update from the working tree to releases that only these tests have."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import commit, copy, lend_environment, run
from tests.releases import NOW, answers, conflicts, contents, edit, render, source, template_with_releases

pytestmark = pytest.mark.slow

# A release that changes files, one that moves them, one that fails midway, and one that Ctrl-C stops midway.
CHANGES, MOVES, FAILS, STOPS = "v1001.0.0", "v1002.0.0", "v1003.0.0", "v1004.0.0"
ANSWERS = ".copier-answers.yml"
MOVED, MOVED_TO = "app/middleware/routes.py", "app/middleware/paths.py"

MIGRATION = '''"""nickname"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("users", sa.Column("nickname", sa.String(50), nullable=True))


def downgrade() -> None:
    op.drop_column("users", "nickname")
'''
MOVE = f'\n[[move]]\nfrom = "{MOVED}"\nto = "{MOVED_TO}"\n'
INDEX = 'live_index("ix_{{ plural }}_created_at", "created_at", "id")\n'
NICKNAME = "    nickname: Mapped[str | None] = mapped_column(sa.String(50))\n"
DOCUMENTED = "Looks up routes in FastAPI's route table, which is a tree."


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    template = template_with_releases(tmp_path_factory.mktemp("released") / "template")

    edit(template, "template/app/domain/models/user.py", "    is_active:", NICKNAME + "    is_active:")
    (template / "template/alembic/versions/0009_nickname.py").write_text(MIGRATION)
    edit(template, "template/.env.example", "# DEBUG=false\n", "# DEBUG=false\n# DB_NAP=7\n")
    edit(template, "template/.env.example", "# API_V1_PREFIX=/api/v1\n", "")
    edit(template, "template/AGENTS.md", "For people and for coding agents.", "For coding agents and for people.")
    edit(template, "CHANGELOG.md", "# Changelog\n", "# Changelog\n\n## 1001.0.0 (2030-01-01)\n\nNicknames.\n")
    edit(template, "template/pyproject.toml", "copier>=9.19.1", "copier>=9.19")
    source(template, "template/SECURITY.md").unlink()
    resource = "extensions/resource/app/{}/{{{{ resource }}}}{}.py"
    edit(template, resource.format("service", "_service"), '"""The rules', '"""All rules')
    edit(template, resource.format("domain/models", ""), INDEX, f"{INDEX}{INDEX.replace('created', 'deleted')}")
    release(template, CHANGES)

    run("git", "mv", f"template/{MOVED}", f"template/{MOVED_TO}", cwd=template)
    edit(template, f"template/{MOVED_TO}", DOCUMENTED, f"{DOCUMENTED} Moved.")
    for name in ("logging", "error_handler"):
        edit(template, f"template/app/middleware/{name}.py", "app.middleware.routes", "app.middleware.paths")
    with (template / "moves.toml").open("a") as file:
        file.write(MOVE)
    release(template, MOVES)

    questions = (template / "copier.yml").read_text() + "\n_migrations:\n"
    for version, command in ((FAILS, "exit 3"), (STOPS, "kill -INT $PPID; sleep 60")):
        (template / "copier.yml").write_text(f"{questions}  - version: {version}\n    command: {command}\n")
        release(template, version)
    return template


def release(template: Path, version: str) -> None:
    commit(template)
    run("git", "tag", version, cwd=template)


@pytest.fixture(scope="module")
def known(template: Path, installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a project of the working tree, whose template has the later releases. Copy it before you write."""
    project = render(template, tmp_path_factory.mktemp("known") / "backend")
    lend_environment(installed, project)
    run("make", "install", cwd=project)
    commit(project)
    return project


@pytest.fixture
def project(known: Path, tmp_path: Path) -> Path:
    return copy(known, tmp_path / "backend")


def update(project: Path, version: str, *variables: str, status: int = 0) -> str:
    return run("make", "update", f"version={version}", *variables, cwd=project, status=status)


def test_it_says_what_it_brings_and_what_to_run_next(project: Path) -> None:
    said = update(project, CHANGES)

    assert said.startswith(f"From {NOW} to {CHANGES}.\n")
    assert "What is new:\n\n    1001.0.0 (2030-01-01)\n    Nicknames.\n\n" in said
    assert "The template removed these files, which you had not changed:\n    SECURITY.md\n\n" in said
    assert "New settings, in .env.example:\n    DB_NAP\n\n" in said
    assert "Settings that are gone from .env.example:\n    API_V1_PREFIX\n\n" in said
    assert "New migrations:\n    alembic/versions/0009_nickname.py\n\n" in said
    assert said.endswith(
        "There are no conflicts: look at `git diff`. Next: make install, make migrate-up, make check, then commit.\n"
    )
    assert "merges them" not in said


def test_what_is_shown_before_is_what_happens(project: Path) -> None:
    invoiced(project)
    edit(project, SERVICE, '"""The rules about', '"""Our rules about')
    commit(project)

    shown = untimed(update(project, CHANGES, "DRY=1"))

    assert run("git", "status", "--porcelain", cwd=project) == ""
    said = update(project, CHANGES)
    heading = "Nothing is written. This is what make update says:\n\n"
    assert shown.startswith(untimed(heading + said))
    run("git", "add", "--all", cwd=project)
    names = run("git", "diff", "--cached", "--name-only", "--no-renames", cwd=project).splitlines()
    assert sorted(re.findall(r"^    (\S+) \(\+\d+ -\d+\)$", shown, re.MULTILINE)) == sorted(map(untimed, names))


def untimed(text: str) -> str:
    """Removes the times in the names of migrations."""
    return re.sub(r"\d{8}_\d{6}_", "", text)


def test_a_migration_of_the_template_and_those_of_the_project_end_in_one(project: Path) -> None:
    run("make", "resource", "name=invoice", "fields=number:str(20)! owner:ref(user)", cwd=project)
    commit(project)
    run("make", "migrate-up", cwd=project)

    said = update(project, CHANGES)

    (merge,) = [line for line in run("git", "status", "--porcelain", cwd=project).splitlines() if "_merge_" in line]
    assert f"of the template and of the project: {merge[3:]} merges them." in said
    run("make", "install", cwd=project)
    run("make", "migrate-up", cwd=project)
    run("make", "migrate-down", cwd=project)
    assert "(current) (mergepoint)" in run("make", "migrate-history", cwd=project)
    assert "say which of them to go back to" in run("make", "migrate-down", cwd=project, status=2)
    run("make", "migrate-down", "to=0008", cwd=project)
    assert "0008 (current)" in run("make", "migrate-history", cwd=project)
    run("make", "migrate-up", cwd=project)
    run("make", "lint", cwd=project)
    run("make", "test", "ARGS=-k 'migrations or invoice'", cwd=project)


SERVICE, MODEL = "app/service/invoice_service.py", "app/domain/models/invoice.py"
METHOD = """
    async def send(self, invoice_id: UUID) -> Invoice:
        return await self.get(invoice_id)
"""


def invoiced(project: Path) -> Path:
    """Adds a resource, and changes it."""
    run("make", "resource", "name=invoice", "fields=number:str(20)! customer:ref(user)", cwd=project)
    with (project / SERVICE).open("a") as file:
        file.write(METHOD)
    commit(project)
    return project


def follow_migration(project: Path) -> str:
    (path,) = (project / "alembic/versions").glob("*_follow_the_template.py")
    return str(path.relative_to(project))


def test_resources_follow_and_keep_what_the_project_wrote_into_them(project: Path) -> None:
    invoiced(project)

    said = update(project, CHANGES)

    assert f"The template's changes reached your resources:\n    invoice: {MODEL}, {SERVICE}\n" in said
    assert conflicts(project) == []
    assert (project / SERVICE).read_text().startswith('"""All rules about invoices."""\n')
    assert (project / SERVICE).read_text().endswith(METHOD)
    assert f"_commit: {CHANGES}\n" in (project / ".copier/invoice.yml").read_text()
    migration = follow_migration(project)
    assert f"The tables of your models changed: {migration} applies that to the database.\n" in said
    assert (project / migration).read_text().count("ix_invoices_deleted_at") == 2
    assert "nickname" not in (project / migration).read_text()
    run("git", "add", ".", cwd=project)
    run("make", "install", cwd=project)
    run("make", "lint", cwd=project)
    run("make", "test", "ARGS=-k 'invoice or migrations'", cwd=project)


def test_an_update_is_taken_back_once_the_database_has_none_of_its_migrations(project: Path) -> None:
    invoiced(project)
    run("make", "migrate-up", cwd=project)
    before = contents(project)
    update(project, CHANGES)
    run("make", "install", cwd=project)
    run("make", "migrate-up", cwd=project)

    own = project / "alembic/versions/own.py"
    own.write_text(MIGRATION.replace("0009", "0010").replace("0008", "0009"))
    assert "alembic/versions/own.py was written on top of" in run("make", "update-undo", cwd=project, status=2)
    own.unlink()
    said = run("make", "update-undo", cwd=project, status=2)

    refused = re.search(
        r"has 3 of the migrations of the update: revert them with make (migrate-down to=\S+) first", said
    )
    assert refused, said
    run("make", *refused[1].split(), cwd=project)
    assert f"the project is at {NOW}, as committed" in run("make", "update-undo", cwd=project)
    assert contents(project) == before
    assert "(head) (current)" in run("make", "migrate-history", cwd=project)


def test_what_resources_and_the_template_both_changed_is_in_conflict(project: Path) -> None:
    invoiced(project)
    edit(project, SERVICE, '"""The rules about', '"""Our rules about')
    edit(project, MODEL, '_created_at", "created_at", "id")', '_created_at", "created_at")')
    commit(project)
    before = run("git", "rev-parse", "HEAD", cwd=project)

    said = update(project, CHANGES)

    assert conflicts(project) == [MODEL, SERVICE]
    assert f"in:\n    {MODEL} (lines " in said
    assert '"""Our rules about invoices."""\n=======\n"""All rules' in (project / SERVICE).read_text()
    assert "It is not known whether the tables of your models changed" in said
    assert run("git", "rev-parse", "HEAD", cwd=project) == before


@pytest.mark.parametrize("is_committed", [True, False])
def test_resources_follow_a_plain_copier_update_as_well(project: Path, *, is_committed: bool) -> None:
    invoiced(project)
    run("copier", "update", "--defaults", "--vcs-ref", CHANGES, cwd=project)
    if is_committed:
        commit(project)

    said = update(project, CHANGES)

    assert said.startswith(f"The update from {NOW} to {CHANGES} was not finished: that is done now.\n")
    assert f"    invoice: {MODEL}, {SERVICE}\n" in said
    assert "ix_invoices_deleted_at" in (project / follow_migration(project)).read_text()
    commit(project)
    assert update(project, CHANGES) == f"The project is at {CHANGES}: {CHANGES} is not newer.\n"


def test_conflicts_are_told_in_words_and_nothing_is_lost(project: Path) -> None:
    edit(project, "AGENTS.md", "For people and for coding agents.", "For our people.")
    edit(project, "README.md", "## Start\n", "## Start here\n")
    commit(project)

    said = update(project, CHANGES)

    assert "There are conflicts, from <<<<<<< to >>>>>>>, in:\n    AGENTS.md (lines 3 to 7)\n\n" in said
    assert "Resolve each conflict and `git add` its file. Next: make install" in said
    assert (
        "<<<<<<< before updating\nFor our people.\n=======\nFor coding agents and for people.\n>>>>>>> after updating\n"
        in (project / "AGENTS.md").read_text()
    )
    assert "## Start here\n" in (project / "README.md").read_text()


def test_a_moved_file_keeps_what_the_project_changed_and_needs_no_trust(project: Path) -> None:
    edit(project, MOVED, "    methods = declared", "    # Ours: in order.\n    methods = declared")
    commit(project)

    said = update(project, MOVES)

    assert f"and your changes moved with them:\n    {MOVED} -> {MOVED_TO}\n" in said
    assert not (project / MOVED).exists()
    text = (project / MOVED_TO).read_text()
    assert f"{DOCUMENTED} Moved." in text
    assert "# Ours: in order." in text


@pytest.mark.parametrize(
    ("version", "sentence"), [(FAILS, "'exit 3' returned non-zero"), (STOPS, "nothing was changed")]
)
def test_an_update_that_ends_midway_changes_nothing(project: Path, version: str, sentence: str) -> None:
    before = contents(project)

    refused = update(project, version, status=2)
    said = update(project, version, "trust=1", status=2)

    assert "run make update trust=1." in refused
    assert sentence in said
    assert contents(project) == before
    assert run("git", "status", "--porcelain", cwd=project) == ""


# The moments at which an update is killed, as fractions of its duration.
POINTS = [number / 21 for number in range(1, 21)]
SAMPLED = {POINTS[6], POINTS[13]}


@pytest.fixture(scope="module")
def updated(known: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[float, dict[str, bytes]]:
    """Returns how long an update of a project with a resource takes, and the resulting files."""
    project = invoiced(copy(known, tmp_path_factory.mktemp("updated") / "backend"))
    start = time.monotonic()
    update(project, CHANGES)
    return time.monotonic() - start, without_names(contents(project))


def without_names(files: dict[str, bytes]) -> dict[str, bytes]:
    """Returns the files without the migrations, whose IDs are random."""
    return {name: text for name, text in files.items() if not name.startswith("alembic/versions/")}


@pytest.mark.parametrize(
    "point", [pytest.param(point, marks=[] if point in SAMPLED else pytest.mark.long) for point in POINTS]
)
def test_a_killed_update_can_be_taken_back_and_made_again(
    project: Path, updated: tuple[float, dict[str, bytes]], point: float
) -> None:
    invoiced(project)
    before = contents(project)
    seconds, expected = updated
    process = subprocess.Popen(
        ["make", "update", f"version={CHANGES}"], cwd=project, stdout=subprocess.DEVNULL, start_new_session=True
    )
    time.sleep(seconds * point)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    if contents(project) != before:
        assert "make update-undo" in update(project, CHANGES, status=2)
        run("make", "update-undo", cwd=project)
        assert contents(project) == before
    update(project, CHANGES)
    assert without_names(contents(project)) == expected


def test_the_status_says_whether_something_is_newer(project: Path) -> None:
    said = run(".venv/bin/python", "-m", "scripts.template.update", "check", cwd=project, status=2)
    until_0_6 = run(".venv/bin/python", "-m", "scripts.update", "check", cwd=project, status=2)
    edit(project, ANSWERS, "/template\n", "/moved\n")
    unknown = run(".venv/bin/python", "-m", "scripts.template.update", "check", cwd=project, status=1)

    assert said == f"The project is at {NOW}, and the template at {STOPS}: run make update.\n"
    assert until_0_6 == f"scripts.update is removed in 0.6.0: call scripts.template.update instead.\n{said}"
    assert "cannot be reached" in unknown


def test_nothing_newer_is_said_and_changes_nothing(template: Path, known: Path, tmp_path: Path) -> None:
    project = render(template, tmp_path / "newest", STOPS)
    shutil.copy2(known / "uv.lock", project)
    lend_environment(known, project)
    run("make", "install", cwd=project)
    commit(project)

    for target in ("update-check", "update"):
        # Without uv, the target first fetches it.
        assert run("make", target, cwd=project).endswith(f"The project is at {STOPS}: nothing is newer.\n")
    assert update(project, NOW) == f"The project is at {STOPS}: {NOW} is not newer.\n"
    assert run("git", "status", "--porcelain", cwd=project) == ""


def test_the_difference_to_a_fresh_render_is_shown(project: Path) -> None:
    edit(project, "README.md", "## Start\n", "## Start here\n")
    (project / "app/api/v1/greeting_router.py").write_text("# Ours.\n")
    assert run("make", "template-diff", cwd=project) == f"Every file of the template is as {NOW} renders it.\n"

    edit(project, "AGENTS.md", "For people and for coding agents.", "For our people.")
    (project / "SECURITY.md").unlink()
    said = run("make", "template-diff", cwd=project)

    assert " project/AGENTS.md " in said.replace("{template => project}", "project")
    assert "-For people and for coding agents.\n+For our people.\n" in said
    assert "deleted file mode" in said
    assert "2 files changed" in said
    assert "greeting" not in said


REFUSED: dict[str, tuple[Callable[[str], str], str]] = {
    "no YAML": (lambda text: "{" + text, "is not as Copier wrote it"),
    "nothing": (lambda _: "", "is not as Copier wrote it"),
    "a list": (lambda _: "- a\n", "is not as Copier wrote it"),
    "no source": (lambda text: text.replace("_src_path", "src_path"), "is not as Copier wrote it"),
    "an answer that is none": (lambda text: text.replace("license: MIT", "license: WTFPL"), "'WTFPL'"),
    "a question that is none": (lambda text: f"{text}licence: MIT\n", "says licence: MIT, which the template does not"),
    "a commit that is gone": (lambda text: text.replace(NOW, "0123abc"), "has no version 0123abc any more"),
    "an option for a commit": (lambda text: text.replace(NOW, "--help"), "has no version --help any more"),
    "a template that moved": (lambda text: text.replace("/template\n", "/moved\n"), "cannot be reached at"),
}


def test_what_cannot_be_updated_gets_one_sentence_and_nothing_changes(project: Path) -> None:
    recorded = (project / ANSWERS).read_text()
    for name, (change, sentence) in REFUSED.items():
        (project / ANSWERS).write_text(change(recorded))
        commit(project)
        before = contents(project)

        for target in ("update", "template-diff"):
            said = run("make", target, cwd=project, status=2).splitlines()
            assert len(said) == 2, (name, said)
            assert sentence in said[0], (name, said)
            assert said[0].endswith((".", "]")), (name, said)
        assert contents(project) == before

    (project / ANSWERS).write_text(recorded)
    commit(project)
    assert "has no version v7: it has v1004.0.0, v1003.0.0" in update(project, "v7", status=2)
    (project / "mine.txt").write_text("mine\n")
    # Git may print messages without failing.
    traced = run("make", "update", f"version={CHANGES}", cwd=project, status=2, environment={"GIT_TRACE": "1"})
    assert "not committed (mine.txt): commit or stash them first." in traced
    (project / "mine.txt").unlink()
    configuration = project / ".git/config"
    known = configuration.read_text()
    configuration.write_text("[nonsense\n")
    assert "Git cannot read the project. It says:\nfatal: bad config line 1" in update(project, CHANGES, status=2)
    configuration.write_text(known)
    shutil.rmtree(project / ".git")
    assert "run git init, git add and git commit first." in update(project, CHANGES, status=2)
    assert answers(project)["license"] == "MIT"


def github(project: Path) -> str:
    workflow = yaml.safe_load((project / ".github/workflows/update.yml").read_text())
    return str(workflow["jobs"]["propose"]["steps"][-1]["run"])


def gitlab(project: Path) -> str:
    """Returns the script of the job, which pushes to the origin of the project instead of GitLab."""
    script = "\n".join(yaml.safe_load((project / ".gitlab-ci.yml").read_text())["update"]["script"])
    return re.sub(r'"https://\S+"', "origin", script)


@pytest.mark.parametrize("pipeline", [github, gitlab])
def test_a_pipeline_pushes_an_update_and_asks_for_its_merge(
    template: Path, project: Path, tmp_path: Path, pipeline: Callable[[Path], str]
) -> None:
    script = pipeline(render(template, tmp_path / "pipeline", ci=pipeline.__name__))
    remote = tmp_path / "remote.git"
    run("git", "clone", "-q", "--bare", str(project), str(remote), cwd=tmp_path)
    run("git", "config", "receive.advertisePushOptions", "true", cwd=remote)
    run("git", "remote", "add", "origin", str(remote), cwd=project)
    (remote / "hooks/pre-receive").write_text('#!/bin/sh\necho "$GIT_PUSH_OPTION_0" >> asked\n')
    (remote / "hooks/pre-receive").chmod(0o755)
    # This stand-in for GitHub's command records its arguments.
    (tmp_path / "gh").write_text(f'#!/bin/sh\necho "$1 $2" >> {remote}/asked\n')
    (tmp_path / "gh").chmod(0o755)
    environment = {"RUNNER_TEMP": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}", "version": CHANGES}

    said = run("bash", "-e", "-c", script, cwd=project, environment=environment)

    assert "New settings, in .env.example:\n    DB_NAP\n" in said
    assert "DB_NAP" in run("git", "show", "template-update:.env.example", cwd=remote)
    assert run("git", "diff", "--name-only", "template-update~1", "template-update", "--", "uv.lock", cwd=remote) != ""
    assert f"From {NOW} to {CHANGES}." in run("git", "log", "-1", "--format=%s", "template-update", cwd=remote)
    assert (remote / "asked").read_text().splitlines()[-1] in {"pr create", "merge_request.create"}
