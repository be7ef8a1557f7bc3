"""Preconditions of commands that change the project. Each check raises SystemExit with one sentence if it fails."""

import sys

from alembic.config import Config
from alembic.script import ScriptDirectory

from scripts.template.git import changed, git, refusal
from scripts.template.journal import LOCK, is_open
from scripts.template.project import ANSWERS, ROOT


def require_repository() -> None:
    """Requires that git can read the project, and that it tracks the record of the template."""
    said = refusal()
    if said and "not a git repository" not in said:
        sys.exit(f"Git cannot read the project. It says:\n{said}")
    if said or not git("ls-files", "--", ANSWERS):
        sys.exit("An update needs the project in git: run git init, git add and git commit first.")


def require_committed() -> None:
    """Requires that no conflict is left, and that all but the lock file is committed."""
    or_undo = " Or run make update-undo, which undoes the update." if is_open() else ""
    if conflicts := changed("U"):
        sys.exit(
            f"There are conflicts from before ({some(conflicts)}): "
            f"resolve them, git add the files, and commit.{or_undo}"
        )
    lines = git("status", "--porcelain", "--", ".", f":(exclude){LOCK}").splitlines()
    if lines:
        sys.exit(
            f"There are changes that are not committed ({some([line[3:] for line in lines])}): "
            f"commit or stash them first.{or_undo}"
        )


def some(names: list[str]) -> str:
    """Returns the first three names, and says if there are more."""
    return ", ".join(names[:3]) + (" and more" if names[3:] else "")


def require_one_head() -> None:
    """Requires that there is at most one newest migration."""
    if len(ScriptDirectory.from_config(Config(ROOT / "alembic.ini")).get_heads()) > 1:
        sys.exit("There are several newest migrations: join them with make migrate-merge, and apply that first.")
