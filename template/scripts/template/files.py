"""Files as git keeps them: what they hold, and whether they can be run."""

from dataclasses import dataclass
from pathlib import Path

from scripts.template.git import git, git_bytes


@dataclass(frozen=True)
class File:
    content: bytes
    executable: bool = False

    @property
    def mode(self) -> str:
        return "100755" if self.executable else "100644"


def read(path: Path) -> File | None:
    if not path.is_file():
        return None
    return File(path.read_bytes(), bool(path.stat().st_mode & 0o100))


def write(path: Path, file: File) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.content)
    mode = path.stat().st_mode
    # Whoever may read it may run it.
    path.chmod(mode | (mode & 0o444) >> 2 if file.executable else mode & ~0o111)


def committed(commit: str, name: str) -> File | None:
    """The project's file as that commit has it."""
    if not (entry := git("ls-tree", commit, "--", name)):
        return None
    mode, _, blob = entry.split()[:3]
    return File(git_bytes("cat-file", "blob", blob), mode == "100755")
