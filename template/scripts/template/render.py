"""A resource as a version of the template renders it, in the project's own code style."""

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from copier import run_copy

from scripts.template.files import File, read, write
from scripts.template.project import ANSWERS, ROOT, Origin, muted, plain_errors
from scripts.template.records import FOLDER, above, all_records, marks_of_links, path_of, require_listable
from scripts.template.versions import nearby

Files = Mapping[str, File]

STYLE = ("ruff.toml", "pyproject.toml")
AROUND = {*STYLE, ANSWERS}


def render(project: Origin, answers: Mapping[str, str], beside: Iterable[str], changed: Files | None = None) -> Files:
    """Returns the files of the resource as that version of the template renders them, with its record.

    `beside` names the files of the project that the template sees: it refuses to render what exists already, and
    references to what does not. Records that it reads, such as the parent's, are those in `changed`, or else the
    project's. Raises SystemExit with one sentence if the template refuses.
    """
    require_listable(answers.get("fields", ""))
    source = nearby(project.source)
    with TemporaryDirectory() as folder:
        place = Path(folder)
        prepare(place, project, [*beside, *marks_of_links(answers["resource"])])
        records = [path_of(name) for name in above(answers)]
        for name in records:
            if record := (changed or {}).get(name) or read(ROOT / name):
                write(place / name, record)
        slugged = " ".join(record.name for record in all_records() if record.key == "slug")
        data = {"kind": "link" if answers.get("between") else "resource", "slugged": slugged} | dict(answers)
        with plain_errors(), muted():
            run_copy(source, place, data=data, vcs_ref=project.version or None, defaults=True, overwrite=True)
        style(place)
        names = (str(path.relative_to(place)) for path in sorted(place.rglob("*")))
        files = {name: file for name in names if name not in {*AROUND, *records} and (file := read(place / name))}
        return {name: recorded(name, file, source, project) for name, file in files.items() if file.content}


def recorded(name: str, file: File, source: str, project: Origin) -> File:
    """The record names the template's address, not the copy that it was rendered from."""
    if not name.startswith(FOLDER):
        return file
    line, address = (yaml.safe_dump({"_src_path": each}).encode() for each in (source, project.source))
    return File(file.content.replace(line, address))


def prepare(place: Path, project: Origin, names: Iterable[str]) -> None:
    """Prepares a minimal project with empty files, since a resource is only rendered beside a project."""
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).touch()
    for name in STYLE:
        if file := read(ROOT / name):
            (place / name).write_bytes(file.content)
    (place / ANSWERS).write_text(yaml.safe_dump({"_commit": project.version, "_src_path": project.source}))


def style(place: Path) -> None:
    """Formats the files, sorts their imports and removes unused ones, by the style in that folder."""
    for command in (["check", "--select=I,F401", "--fix"], ["format"]):
        arguments = [*command, "--quiet", "--no-cache", "."]
        subprocess.run([sys.executable, "-m", "ruff", *arguments], cwd=place, check=True)


def referred(answers: Mapping[str, str]) -> list[str]:
    """Returns the files that the fields need to be valid: factories and records of the resources that they refer to."""
    targets = {*re.findall(r":refs?\((\w+)\)", answers.get("fields", ""))} - {answers["resource"]}
    records = [path_of(target) for target in targets if (ROOT / path_of(target)).is_file()]
    return [*records, *(f"tests/factories/{target}_factory.py" for target in targets)]


def existing(*, without: Iterable[str] = ()) -> set[str]:
    """Returns the modules of the project and the records of its resources, except those of `without`."""
    found = [path for folder in ("app", "tests") for path in (ROOT / folder).rglob("*.py")]
    found += (ROOT / FOLDER).glob("*.yml")
    return {str(path.relative_to(ROOT)) for path in found} - set(without)
