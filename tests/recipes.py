"""Reads the edits in `docs/recipes.md` of a rendered project."""

import re
from dataclasses import dataclass
from pathlib import Path

from scripts.new import ROOT

PAGE = ROOT / "template/docs/recipes.md"
BLOCK = re.compile(r"```(python|diff)\n# (\S+)\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Edit:
    """Writes `new` in place of `old`, or a new file if there is no `old`."""

    file: str
    old: str
    new: str

    def make(self, project: Path) -> None:
        path = project / self.file
        if not self.old:
            path.write_text(self.new, encoding="utf-8")
            return
        text = path.read_text(encoding="utf-8")
        assert text.count(self.old) == 1, (self.file, self.old)
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


def recipe(title: str) -> list[Edit]:
    edits: list[Edit] = []
    for language, file, text in BLOCK.findall(section(title)):
        parts = text.split("\n...\n") if language == "diff" else []
        edits += [Edit(file, side(part, " -"), side(part, " +")) for part in parts] or [Edit(file, "", text)]
    return edits


def commands(title: str) -> list[str]:
    (typed,) = re.findall(r"```sh\n(.*?)```", section(title), re.DOTALL)
    return str(typed).splitlines()


def section(title: str) -> str:
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(f"\n## {title}\n")
    assert rest, title
    return rest.partition("\n## ")[0]


def side(part: str, marks: str) -> str:
    """Returns the lines with one of these marks. A blank line counts as having the mark of a space."""
    lines = part.removesuffix("\n").split("\n")
    return "".join(f"{line[1:]}\n" for line in lines if (line or " ")[0] in marks)
