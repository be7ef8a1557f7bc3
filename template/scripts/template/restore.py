"""Restores files of the template to what the project's version renders. `make template-heal` calls it.

Without a path, it restores all files of the template that the project changed. A file that the project deleted comes
back only if it is named, and so does a file of a resource, as `make resource` wrote it.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.template.diff import SEEDED
from scripts.template.files import File, read, staged, uninterrupted, write
from scripts.template.git import git
from scripts.template.preconditions import require_repository, some
from scripts.template.project import ANSWERS, ROOT, fresh_render, nothing_changed, origin
from scripts.template.records import all_records
from scripts.template.resources import rendered
from scripts.template.versions import versions_of

Files = Mapping[str, File]


def main() -> None:
    """Restores the files at TEMPLATE_PATH, or shows them with DRY=1. Raises SystemExit if git could not undo it."""
    require_repository()
    project = origin()
    versions_of(project)
    with nothing_changed():
        with fresh_render(project) as template:
            files = files_of(template)
        found = strayed(files, [str(Path(path)) for path in os.environ.get("TEMPLATE_PATH", "").split()])
        is_real = found and not os.environ.get("DRY")
        if is_real:
            require_kept(list(found))
        show(found)
        if is_real:
            with staged(found) as put, uninterrupted():
                put()
    print(said(list(found), project.version))


def files_of(template: Path) -> Files:
    """Returns the files that the template still maintains after the first render."""
    names = (str(path.relative_to(template)) for path in sorted(template.rglob("*")))
    return {name: file for name in names if name not in {*SEEDED, ANSWERS} and (file := read(template / name))}


def strayed(files: Files, paths: list[str]) -> Files:
    """Returns the files at or below these paths that differ. Raises SystemExit if the template has no such path."""
    others = [path for path in paths if not any(is_below(name, path) for name in files)]
    files = {**files, **files_of_resources(others)}
    if unknown := [path for path in others if path not in files]:
        sys.exit(f"{unknown[0]} is not a file of the template: make template-diff lists those that differ.")
    named = [name for name in files if not paths or any(is_below(name, path) for path in paths)]
    return {
        name: files[name] for name in named if read(ROOT / name) != files[name] and (paths or (ROOT / name).is_file())
    }


def files_of_resources(names: list[str]) -> Files:
    """Returns those of these files that belong to a resource, as `make resource` wrote them."""
    if not names:
        return {}
    records = all_records()
    return {name: file for record in records for name, file in rendered(record).items() if name in names}


def is_below(name: str, path: str) -> bool:
    """Returns whether the path is that of the file itself, or of a folder that contains it."""
    return Path(name).is_relative_to(Path(path))


def require_kept(names: list[str]) -> None:
    """Raises SystemExit with one sentence if git could not bring back the current content of a file."""
    states = {name: git("status", "--porcelain", "--ignored", "--", name)[:2] for name in names}
    if changed := [name for name, state in states.items() if state not in {"", " D"}]:
        sys.exit(f"There are changes that are not committed ({some(changed)}): commit or stash them first.")


def show(files: Files) -> None:
    """Prints the difference between each file and the one that replaces it."""
    with TemporaryDirectory() as folder:
        for name, file in files.items():
            write(Path(folder) / name, file)
            ours = name if (ROOT / name).is_file() else os.devnull
            command = ["git", "diff", "--no-index", "--no-prefix", ours, f"{folder}/{name}"]
            shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
            print(shown.replace(f"{folder.lstrip('/')}/", ""), end="")


def said(names: list[str], version: str) -> str:
    """Returns what happened to the files, or would happen without DRY=1, as text."""
    if not names:
        return f"Each of these files is as {version} renders it."
    if os.environ.get("DRY"):
        return f"Nothing is written: make template-heal would bring {len(names)} files to what {version} renders."
    return (
        f"Restored to what {version} renders: {', '.join(names)}.\n"
        "Look at `git diff`; `git restore FILE` brings yours back. Next: make check, then commit."
    )


if __name__ == "__main__":
    main()
