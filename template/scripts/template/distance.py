"""The distance of the project from a render of its template, in files and lines."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from scripts.template.files import File, read
from scripts.template.plan import lines
from scripts.template.project import ROOT


@dataclass(frozen=True, order=True)
class Distance:
    """How much the project differs from a render. Distances are compared by their lines first."""

    lines: int  # that were added or removed
    files: int  # that differ, including the missing ones
    of: int

    def __str__(self) -> str:
        return f"{self.files} of {self.of} files differ, by {self.lines} lines"


def distance(template: Mapping[str, File]) -> Distance:
    """Returns the distance of the project from these files of a render."""
    pairs = [(file, read(ROOT / name)) for name, file in template.items()]
    different = [(old, new) for old, new in pairs if new is None or new.content != old.content]
    return Distance(sum(changed_lines(*pair) for pair in different), len(different), len(pairs))


def changed_lines(old: File, new: File | None) -> int:
    """Returns the number of lines that were added or removed. A missing file has none."""
    before, after = lines(old), lines(new)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    return len(before) + len(after) - 2 * sum(block.size for block in matcher.get_matching_blocks())
