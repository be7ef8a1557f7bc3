"""Runs an update in a copy of the project, so that the project itself stays as it is."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.template.git import WITHOUT_HOOKS, git
from scripts.template.project import ROOT, nothing_changed, origin
from scripts.template.versions import address


def run_elsewhere(module: str) -> None:
    """Runs the module in a copy of the project, and prints its output. Raises SystemExit with its error if it fails."""
    command = [sys.executable, "-m", module]
    with nothing_changed(), copy_of_project() as copy:
        process = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    print(process.stdout, end="")
    if process.returncode != 0:
        sys.exit(process.stderr.strip() or process.returncode)


@contextmanager
def copy_of_project() -> Iterator[Path]:
    """Yields a temporary working tree that contains the last commit of the project."""
    top = Path(git("rev-parse", "--show-toplevel").rstrip("\n"))
    with TemporaryDirectory(dir=top.parent if is_relative(origin().source) else None) as tree:
        command = ["git", *WITHOUT_HOOKS, "worktree", "add", "--quiet", "--detach", tree, "HEAD"]
        try:
            made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            if made.returncode != 0:
                sys.exit(f"Git cannot make a copy of the project. It says:\n{made.stderr.strip()}")
            yield Path(tree) / git("rev-parse", "--show-prefix").rstrip("\n")
        finally:
            git("worktree", "remove", "--force", tree)


def is_relative(source: str) -> bool:
    """Returns whether the template's address is a relative path, which is valid only in the project or beside it."""
    where = Path(address(source))
    return not where.is_absolute() and (ROOT / where).is_dir()
