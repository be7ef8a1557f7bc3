"""A merge of three versions of one file, with the marks and the index entries that Copier's own merge leaves."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.template.files import File, write
from scripts.template.git import git, git_bytes
from scripts.template.project import ROOT

LABELS = ("-L", "before updating", "-L", "last update", "-L", "after updating")
BINARY = 255


@dataclass(frozen=True)
class Sides:
    """Three versions of a file, in the order of git's stages."""

    base: File
    ours: File
    theirs: File


def merge(name: str, sides: Sides) -> None:
    """Writes the merged file, and marks a conflict in git's index as well."""
    base, ours, theirs = sides.base, sides.ours, sides.theirs
    status, content = merged(sides)
    if status:
        mark_conflict(name, sides)
    executable = theirs.executable if ours.executable == base.executable else ours.executable
    write(ROOT / name, File(ours.content if status == BINARY else content, executable))


def merged(sides: Sides) -> tuple[int, bytes]:
    """Returns the number of conflicts, or BINARY, and the merged content."""
    if sides.base.content == sides.theirs.content:
        return 0, sides.ours.content
    with TemporaryDirectory() as folder:
        for name, file in vars(sides).items():
            write(Path(folder) / name, file)
        command = ["git", "merge-file", "--stdout", *LABELS, "ours", "base", "theirs"]
        process = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return process.returncode, process.stdout


def mark_conflict(name: str, sides: Sides) -> None:
    """Replaces the entry of the file in git's index by the three sides of the conflict."""
    path = git("rev-parse", "--show-prefix").strip() + name
    stages = [f"{file.mode} {stored(file)} {stage}" for stage, file in enumerate(vars(sides).values(), 1)]
    # A mode of 0 removes the entry that the index had, as the stages of a conflict require.
    entries = [f"0 {stored(sides.base)}", *stages]
    git_bytes("update-index", "--index-info", stdin="".join(f"{entry}\t{path}\n" for entry in entries).encode())


def stored(file: File) -> str:
    """Stores the content of the file in git, and returns the name of the object."""
    return git_bytes("hash-object", "-w", "--stdin", stdin=file.content).decode().strip()
