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
LOCK = "uv.lock"  # `make install` may write it at any time
# Raised by reading the journal if there is none, or if another program wrote it.
UNREADABLE = (OSError, ValueError)

Digests = dict[str, str]


class Entry(TypedDict):
    """The files that an update wrote, each with its digest, or None until the update has ended."""

    commit: str  # the one on top of which the update was made
    files: Digests | None


@contextmanager
def noted() -> Iterator[None]:
    """Notes what the block writes. Everything must be committed before, so whatever differs afterwards is its work."""
    write({"commit": head(), "files": None})
    try:
        yield
    finally:
        if not differing():
            forget()
    if JOURNAL.exists():
        write({"commit": head(), "files": {name: digest(name) for name in differing()}})


def forget() -> None:
    """Deletes the journal, if there is one."""
    JOURNAL.unlink(missing_ok=True)


def is_open() -> bool:
    """Returns whether an update began on top of this commit, and is not committed."""
    return entry() is not None


def is_broken_off() -> bool:
    """Returns whether an update began and did not end, because the machine stopped or somebody killed it."""
    return is_open() and written() is None and bool(differing())


def written() -> Digests | None:
    """Returns the digest of each file after the update, or None if they were not noted."""
    found = entry()
    return found["files"] if found else None


def entry() -> Entry | None:
    """Returns the entry, or None if none can be read, or if it is about another commit."""
    try:
        found: Entry = json.loads(JOURNAL.read_text("utf-8"))
    except UNREADABLE:
        return None
    return found if found["commit"] == head() else None


def write(found: Entry) -> None:
    """Writes the entry in place of the one before."""
    JOURNAL.parent.mkdir(exist_ok=True)
    JOURNAL.write_text(json.dumps(found), "utf-8")


def differing() -> list[str]:
    """Returns the files that differ from the last commit, except for the lock file."""
    changed = git("diff", "--name-only", "--no-renames", "--relative", "HEAD", "--", ".").splitlines()
    new = git("ls-files", "--others", "--exclude-standard", "--", ".").splitlines()
    return sorted({*changed, *new} - {LOCK})


def digest(name: str) -> str:
    """Returns an empty string for a file that does not exist."""
    file = read(ROOT / name)
    return sha256(file.mode.encode() + file.content).hexdigest() if file else ""


def head() -> str:
    """Returns the hash of the last commit, or an empty string without one."""
    return git("rev-parse", "HEAD").strip()
