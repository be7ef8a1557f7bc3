"""Calls git in the project's folder."""

import subprocess

from scripts.template.project import ROOT

# For commands that the project's hooks must not affect.
WITHOUT_HOOKS = ("-c", "core.hooksPath=/dev/null")


def git(*arguments: str) -> str:
    """Returns the output of git, which is empty if it fails, as it does outside of a repository."""
    command = ["git", "-c", "core.quotePath=off", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def refusal() -> str:
    """Returns git's own message if it cannot read the project, or else an empty string."""
    command = ["git", "rev-parse", "--git-dir"]
    asked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return asked.stderr.strip() if asked.returncode else ""


def git_bytes(*arguments: str, stdin: bytes = b"") -> bytes:
    """Returns the output of git. Raises CalledProcessError if it fails."""
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, input=stdin, capture_output=True, check=True).stdout


def changed(kind: str, folder: str = ".") -> list[str]:
    """Returns the files that are deleted (D) or in conflict (U) in the working tree."""
    return git("diff", "--name-only", "--relative", f"--diff-filter={kind}", "--", folder).splitlines()
