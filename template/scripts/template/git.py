"""What git knows of the project."""

import subprocess

from scripts.template.project import ROOT

# For what the project's own ones have no say in.
WITHOUT_HOOKS = ("-c", "core.hooksPath=/dev/null")


def git(*arguments: str) -> str:
    """What it prints; nothing where it fails, as outside of a repository."""
    command = ["git", "-c", "core.quotePath=off", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def refusal() -> str:
    """Why git cannot read the project, in its own words; nothing where it can."""
    command = ["git", "rev-parse", "--git-dir"]
    asked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return asked.stderr.strip() if asked.returncode else ""


def git_bytes(*arguments: str, stdin: bytes = b"") -> bytes:
    """Raises CalledProcessError where it fails."""
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, input=stdin, capture_output=True, check=True).stdout


def changed(kind: str, folder: str = ".") -> list[str]:
    """The files that the working tree has deleted (D) or left in conflict (U)."""
    return git("diff", "--name-only", "--relative", f"--diff-filter={kind}", "--", folder).splitlines()
