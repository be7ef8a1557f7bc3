"""Finds the changes of the template's behaviour that concern the project."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from scripts.template.files import read
from scripts.template.project import ROOT, Origin
from scripts.template.records import Record, all_records


@dataclass(frozen=True)
class Change:
    """A change of behaviour, and the conditions under which it concerns a project. An empty condition always holds."""

    since: str
    says: str
    option: str = ""  # name=value
    edited: str = ""  # a file of the template, or a folder
    resource: str = ""  # name=value of a resource that the project has; * for any


def parsed(text: str) -> list[Change]:
    """Raises ValueError or TypeError if the text is not valid.

    Ignores conditions that only later versions know: it is better to say too much than too little.
    """
    known = {field.name for field in fields(Change)}
    entries = tomllib.loads(text).get("change", [])
    return [Change(**{name: value for name, value in entry.items() if name in known}) for entry in entries]


def concerning(changes: list[Change], project: Origin, old: Path) -> Iterator[Change]:
    """Yields the changes whose conditions all hold. `old` is the folder with a render of the project's version."""
    records = all_records()
    for change in changes:
        if (
            has_option(project, change.option)
            and is_edited(change.edited, old)
            and (not change.resource or any(is_meant(record, change.resource) for record in records))
        ):
            yield change


def has_option(project: Origin, option: str) -> bool:
    """Returns whether the project has the answer that `option` gives as `name=value`, or `option` is empty."""
    name, _, value = option.partition("=")
    answer = project.answers.get(name)
    return not option or value in (map(str, answer) if isinstance(answer, list) else [str(answer).lower(), str(answer)])


def is_edited(name: str, old: Path) -> bool:
    """Returns whether the project changed this file, or a file in this folder, since the render in `old`."""
    paths = [path for path in [old / name, *(old / name).rglob("*")] if path.is_file()]
    return not name or any(read(ROOT / path.relative_to(old)) != read(path) for path in paths)


def is_meant(record: Record, resource: str) -> bool:
    """Returns whether the record has the value that `resource` gives as `name=value`; `*` means all records."""
    name, _, value = resource.partition("=")
    return resource == "*" or getattr(record, name, None) == value
