"""Commits an update to a separate branch. `make update branch=1` runs it in a copy of the project."""

import os
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO

from scripts.template.git import WITHOUT_HOOKS, changed, git, git_bytes
from scripts.template.project import ROOT, origin
from scripts.template.update import bring

PREFIX = "template-update-"


def main() -> None:
    """Updates, and commits that to a new branch. Raises SystemExit with one sentence if the branch exists."""
    with redirect_stdout(StringIO()) as said:
        bring()
    print(said.getvalue(), end="")
    if not git("status", "--porcelain", "--", "."):
        return
    branch = name()
    if git("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}"):
        sys.exit(f"There is a branch {branch} already: git branch -D {branch} drops it.")
    conflicts = changed("U")
    is_locked = lock()
    git("add", "--all", "--", ".")
    commit(f"Update the template: {said.getvalue()}")
    git_bytes("branch", "--no-track", branch, "HEAD")
    print(how_to_go_on(branch, conflicts, is_locked=is_locked))


def name() -> str:
    """Returns the name of the branch: the one that was asked for, or else one that contains the version."""
    asked = os.environ.get("UPDATE_BRANCH", "1")
    return PREFIX + origin().version if asked == "1" else asked


def lock() -> bool:
    """Renews the lock file if pyproject.toml has changed. Returns False if that fails."""
    if not git("ls-files", "--", "uv.lock") or not git("diff", "--name-only", "HEAD", "--", "pyproject.toml"):
        return True
    command = [os.environ.get("UV", "uv"), "lock", "--quiet"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


def commit(message: str) -> None:
    """Commits what is staged, without the project's hooks. Raises SystemExit with git's message if that fails."""
    command = ["git", *WITHOUT_HOOKS, "commit", "--quiet", "--file=-"]
    made = subprocess.run(command, cwd=ROOT, input=message, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        sys.exit(f"Git cannot commit the update, and nothing was changed. It says:\n{made.stderr.strip()}")


def how_to_go_on(branch: str, conflicts: list[str], *, is_locked: bool) -> str:
    """Returns what is left to do on the branch, and how to merge or drop it."""
    marks = "The conflicts are committed with their marks: resolve them there.\n" if conflicts else ""
    stale = "" if is_locked else "The lock file is not renewed: run make install there, and commit uv.lock.\n"
    return (
        f"\n{marks}{stale}The update is on the branch {branch}, and nothing else has changed. "
        f"git switch {branch} leads there, git merge {branch} finishes it, and git branch -D {branch} drops it."
    )


if __name__ == "__main__":
    main()
