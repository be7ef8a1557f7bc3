"""Carries the project's edits over to where the template moved their files, since Copier does not recognize moves.

A file that the template no longer has, and that the project changed, stays where it was.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.template.files import File, committed, read, write
from scripts.template.git import changed, git
from scripts.template.project import ROOT, Origin, fresh_render
from scripts.template.three_way import Sides, merge

Moves = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Update:
    """An update from one version of the template to another, on top of a commit of the project."""

    commit: str
    before: Origin
    after: Origin
    until: str = ""  # the commit that finished it; empty if it is not committed yet


@dataclass(frozen=True)
class Edit:
    """The project's version of a file that the template moved or removed."""

    name: str
    to: str
    base: File
    ours: File | None  # None if the project deleted it


@dataclass(frozen=True)
class Carried:
    """The edits that were merged at the new path, deleted there, or kept at the old path."""

    merged: list[Edit] = field(default_factory=list)
    deleted: list[Edit] = field(default_factory=list)
    kept: list[Edit] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.merged or self.deleted or self.kept)


def destination(name: str, moves: Moves) -> str:
    """Returns the path of a file after all moves, which are in the order in which they were made."""
    for old, new in moves:
        if name == old:
            name = new
    return name


def carry(update: Update, moves: Moves, old: Path) -> Carried:
    """Finishes the update. `old` is a render of its earlier version. Nothing is written until all edits are known."""
    carried = Carried()
    if found := list(edits(update.commit, moves, old)):
        with fresh_render(update.after) as new:
            for edit in found:
                sort(edit, update.commit, new, carried)
            write_all(carried, new)
    return carried


def edits(commit: str, moves: Moves, old: Path) -> Iterator[Edit]:
    """Yields the project's edits in files that the template moved or removed since the render in `old`."""
    for path in sorted(old.rglob("*")):
        name = str(path.relative_to(old))
        to = destination(name, moves)
        if (base := read(path)) and (to != name or not (ROOT / name).exists()):
            ours = committed(commit, name)
            if ours != base and (ours or to != name):
                yield Edit(name, to, base, ours)


def sort(edit: Edit, commit: str, new: Path, carried: Carried) -> None:
    """Adds the edit to `carried`, unless it was carried over before: then its file differs from the template's."""
    theirs = read(new / edit.to)
    if edit.to == edit.name or theirs is None or committed(commit, edit.to):
        if edit.ours and not (ROOT / edit.name).exists() and not (new / edit.name).exists():
            carried.kept.append(edit)
    elif read(ROOT / edit.to) == theirs:
        (carried.merged if edit.ours else carried.deleted).append(edit)


def write_all(carried: Carried, new: Path) -> None:
    """Writes the edits to the project, with marks where they conflict with the version in `new`."""
    conflicts = changed("U")
    for edit in carried.kept:
        assert edit.ours
        write(ROOT / edit.name, edit.ours)
    for edit in carried.deleted:
        (ROOT / edit.to).unlink()
    for edit in carried.merged:
        theirs = read(new / edit.to)
        assert edit.ours
        assert theirs
        merge(edit.to, Sides(edit.base, edit.ours, theirs))
        if edit.name in conflicts:
            replace(edit.name, new)


def replace(name: str, new: Path) -> None:
    """Takes the edits out of a new file at the old place, into which Copier merged them."""
    file = read(new / name)
    assert file
    write(ROOT / name, file)
    git("reset", "--quiet", "--", name)
