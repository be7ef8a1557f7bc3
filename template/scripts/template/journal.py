"""Notes what an update wrote, so that `make update-undo` can tell it from what people changed since."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import TypedDict

from scripts.template.files import read
from scripts.template.git import git
from scripts.template.project import ROOT

JOURNAL = ROOT / ".local/template-update.json"  # ignored by git
LOCK = "uv.lock"  # what `make install` writes, at any time
# What reading the note raises where there is none, or another program wrote it.
UNREADABLE = (OSError, ValueError)

Digests = dict[str, str]


class Entry(TypedDict):
    commit: str  # on top of which the update was made
    files: Digests | None


@contextmanager
def noted() -> Iterator[None]:
    """For what changes a project in which all is committed: whatever differs afterwards, it wrote."""
    write({"commit": head(), "files": None})
    try:
        yield
    finally:
        if not differing():
            forget()
    if JOURNAL.exists():
        write({"commit": head(), "files": {name: digest(name) for name in differing()}})


def forget() -> None:
    JOURNAL.unlink(missing_ok=True)


def is_open() -> bool:
    """Whether an update began on top of this commit, and is not committed."""
    return entry() is not None


def is_broken_off() -> bool:
    """Whether it began, and did not end: the machine stopped, or somebody killed it."""
    return is_open() and written() is None and bool(differing())


def written() -> Digests | None:
    """What each of the files was after the update; None where that was not noted."""
    found = entry()
    return found["files"] if found else None


def entry() -> Entry | None:
    try:
        found: Entry = json.loads(JOURNAL.read_text("utf-8"))
    except UNREADABLE:
        return None
    return found if found["commit"] == head() else None


def write(found: Entry) -> None:
    JOURNAL.parent.mkdir(exist_ok=True)
    JOURNAL.write_text(json.dumps(found), "utf-8")


def differing() -> list[str]:
    """The files that are not as they are committed, but for the lock file."""
    changed = git("diff", "--name-only", "--no-renames", "--relative", "HEAD", "--", ".").splitlines()
    new = git("ls-files", "--others", "--exclude-standard", "--", ".").splitlines()
    return sorted({*changed, *new} - {LOCK})


def digest(name: str) -> str:
    """Empty for a file that is not there."""
    file = read(ROOT / name)
    return sha256(file.mode.encode() + file.content).hexdigest() if file else ""


def head() -> str:
    return git("rev-parse", "HEAD").strip()
