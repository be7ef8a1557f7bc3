"""Files as git stores them: their content, and whether they are executable."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.template.git import git, git_bytes
from scripts.template.project import ROOT


@dataclass(frozen=True)
class File:
    """The content of a file, and whether its owner may execute it."""

    content: bytes
    executable: bool = False

    @property
    def mode(self) -> str:
        """Returns the mode as git writes it, in octal digits."""
        return "100755" if self.executable else "100644"


def read(path: Path) -> File | None:
    """Returns the file, or None if there is none."""
    if not path.is_file():
        return None
    return File(path.read_bytes(), bool(path.stat().st_mode & 0o100))


def write(path: Path, file: File) -> None:
    """Writes the file with its mode, and makes the folders that are missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.content)
    mode = path.stat().st_mode
    # All who may read the file may run it.
    path.chmod(mode | (mode & 0o444) >> 2 if file.executable else mode & ~0o111)


def committed(commit: str, name: str) -> File | None:
    """Returns the project's file as of that commit, or None if the commit does not have it."""
    if not (entry := git("ls-tree", commit, "--", name)):
        return None
    mode, _, blob = entry.split()[:3]
    return File(git_bytes("cat-file", "blob", blob), mode == "100755")


@contextmanager
def staged(files: Mapping[str, File | None]) -> Iterator[Callable[[], None]]:
    """Writes the files to a temporary folder, so that a full disk shows before anything in the project has changed.

    Yields a function that moves them into the project. None deletes a file.
    """
    (ROOT / ".local").mkdir(exist_ok=True)  # ignored by git, and on the same disk
    with TemporaryDirectory(dir=ROOT / ".local") as folder:
        for name, file in files.items():
            if file:
                write(Path(folder) / name, file)
                (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        yield lambda: put(Path(folder), files)


def put(folder: Path, files: Mapping[str, File | None]) -> None:
    """Moves the files from the folder into the project. None deletes a file."""
    for name, file in files.items():
        if file:
            (folder / name).replace(ROOT / name)
        else:
            (ROOT / name).unlink(missing_ok=True)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignores Ctrl-C within the block."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
