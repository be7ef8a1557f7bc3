"""`make drift DIRS='../a ../b'`: prints the version of each project, and how far the project is from its render.

It prints a table, or JSON for a program with FORMAT=json. The exit status is 1 if any project cannot be compared.
"""

import json
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from copier import run_copy

ROOT = Path(__file__).resolve().parents[1]
ANSWERS = ".copier-answers.yml"
UNCOMPARED = {ANSWERS, "README.md"}  # the record, and the file that is rendered only once


@dataclass
class Drift:
    """How far a project is from its render. If it has a fault, its counts are 0."""

    project: str
    version: str = ""
    behind: int = 0  # releases that are newer
    files: int = 0  # of the template that differ, or are missing
    lines: int = 0  # that were added or removed in them
    fault: str = ""  # why the project cannot be compared


def main(folders: list[str]) -> None:
    """Prints the drift of each folder. Always ends with SystemExit, which has one sentence if no folder is given."""
    if not folders:
        sys.exit("Say which projects to look at: make drift DIRS='../billing ../shop'")
    found = [drift(folder) for folder in folders]
    print(
        json.dumps([asdict(each) for each in found], indent=2) if os.environ.get("FORMAT") == "json" else table(found)
    )
    sys.exit(any(each.fault for each in found))


def drift(folder: str) -> Drift:
    """Compares a project with its render. What makes this impossible is in the `fault` of the result."""
    project = Path(folder).expanduser()
    try:
        answers = yaml.safe_load((project / ANSWERS).read_text("utf-8"))
        version = str(answers["_commit"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return Drift(folder, fault=f"It has no {ANSWERS} that Copier wrote.")
    if not git("rev-parse", "--verify", "--end-of-options", version + "^{commit}"):
        return Drift(folder, version, fault=f"This repository has no version {version}: run git fetch --tags.")
    with TemporaryDirectory() as place, redirect_stderr(StringIO()):
        rendered = Path(place) / "project"
        given = {name: value for name, value in answers.items() if not name.startswith("_")}
        try:
            run_copy(str(ROOT), rendered, data=given, vcs_ref=version, defaults=True, quiet=True)
        except Exception as error:  # noqa: BLE001 (Copier's validators raise ValueError, its checks errors of many kinds)
            return Drift(folder, version, fault=f"Its answers cannot be rendered: {error}")
        paths = (path for path in rendered.rglob("*") if path.is_file())
        counts = [changed_lines(path, project / name) for path in paths if (name := rendered_name(path, rendered))]
    different = [count for count in counts if count is not None]
    return Drift(folder, version, len(newer(version)), len(different), sum(different))


def rendered_name(path: Path, rendered: Path) -> str:
    """Returns the name in the project, or an empty string if the file is not compared."""
    name = str(path.relative_to(rendered))
    return "" if name in UNCOMPARED else name


def changed_lines(old: Path, new: Path) -> int | None:
    """Returns None if the project has the file as it was rendered."""
    before, after = old.read_bytes(), new.read_bytes() if new.is_file() else b""
    if before == after and new.is_file():
        return None
    blocks = SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False).get_matching_blocks()
    return len(before.splitlines()) + len(after.splitlines()) - 2 * sum(block.size for block in blocks)


def newer(version: str) -> list[str]:
    """Returns the releases that the version does not include."""
    return [tag for tag in git("tag", "--no-merged", version).split() if re.fullmatch(r"v?\d+(\.\d+)*", tag)]


def table(found: list[Drift]) -> str:
    """Returns the results as aligned columns, with one line for each project."""
    rows: list[tuple[str, ...]] = [("project", "version", "releases behind", "files", "lines")]
    rows += [(each.project, each.version, *map(str, (each.behind, each.files, each.lines))) for each in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    for number, each in enumerate(found, 1):
        if each.fault:
            lines[number] = f"{each.project.ljust(widths[0])}  {each.fault}"
    return "\n".join(lines)


def git(*arguments: str) -> str:
    """Returns the output of git in this repository, which is empty if it fails."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout


if __name__ == "__main__":
    main(sys.argv[1:])
