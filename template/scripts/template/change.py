"""Changes a resource: its files follow by a merge that keeps the project's edits, and a migration changes its table."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Self

from scripts.template.backfill import fills
from scripts.template.difference import Difference
from scripts.template.fields import edited, names_of, parsed_renames, renamed_columns
from scripts.template.plan import Plan, differences, merge_files
from scripts.template.project import Origin, origin
from scripts.template.records import RULES, Record, all_records, parsed, path_of
from scripts.template.render import Files, existing, referred, render
from scripts.template.rules import followed, given


@dataclass(frozen=True)
class Request:
    """The arguments of `make resource`. Those that were not given are empty."""

    name: str = ""
    fields: str = ""
    plural: str = ""
    access: str = ""
    key: str = ""
    parent: str = ""
    between: str = ""
    add: str = ""
    drop: str = ""
    rename: str = ""
    backfill: str = ""
    unique: str = ""
    check: str = ""
    expand: str = ""
    yes: str = ""

    @classmethod
    def from_environment(cls) -> Self:
        """Reads the arguments as the Makefile passes them: `fields=` in RESOURCE_FIELDS."""
        return cls(**{each.name: os.environ.get(f"RESOURCE_{each.name.upper()}", "") for each in fields(cls)})

    @property
    def is_change(self) -> bool:
        """Returns whether it adds, drops, renames or fills fields, so that the resource has to exist."""
        return any((self.add, self.drop, self.rename, self.backfill))

    @property
    def answers(self) -> dict[str, str]:
        """Returns the answers that a new resource or link is made from."""
        chosen = ("plural", "access", "key", "parent", "between")
        answers = {"resource": self.name} | {name: value for name in chosen if (value := getattr(self, name))}
        if self.between:
            return answers
        return answers | {"fields": self.fields} | {name: given(getattr(self, name)) for name in RULES}


def planned_change(record: Record, request: Request) -> Plan:
    """Plans the change. Raises SystemExit with one sentence if it is impossible, or loses data without yes=1."""
    if request.between and not record.between:
        sys.exit(f"{record.name} is a resource, not a link: leave between= out, or choose another name.")
    if request.between.split() not in ([], record.between.split()):
        sys.exit(f"The sides of {record.name} cannot change: they are {record.between}.")
    if request.plural not in {"", record.plural}:
        sys.exit(f"The plural of a resource cannot change: it is {record.plural}.")
    if request.key not in {"", record.key}:
        sys.exit(f"The key of a resource cannot change: it is {record.key}.")
    if request.parent not in {"", record.parent}:
        sys.exit(f"The parent of a resource cannot change: it is {record.parent or 'none'}.")
    renames = parsed_renames(record.fields, request.rename)
    fields = wanted(record, request, renames)
    answers = record.answers
    if not record.between:
        answers |= {"fields": fields} | rules(record, request, renames, fields)
    if request.access:
        answers["access"] = request.access
    project = origin()
    seen = [*referred(record.answers), record.path]
    base = render(replace(project, version=record.version), record.answers, seen)
    theirs = render(project, answers, [*existing(without=base), *record.marks])
    if request.access:
        require_less_open(record, project, theirs)
    require_free_path(record.name, theirs)
    plan = merge_files(base, theirs)
    plan.record(record.path, theirs)
    plan.migration = f"change {record.plural.replace('_', ' ')}"
    columns = renamed_columns(record.fields, fields, renames)
    if request.backfill and not plan.files:
        sys.exit("backfill= is for fields that become required, and none does.")
    found = [replace(difference, renames=columns) for difference in differences(*plan.tables())]
    plan.differences = [replace(each, fills=checked_fills(each, request, theirs)) for each in found]
    return plan


def require_free_path(name: str, files: Files) -> None:
    """Raises SystemExit with one sentence if another resource has a path that this one would get."""
    wanted = parsed(name, files[path_of(name)].content)
    for other in all_records():
        if wanted and other.name != name and any(place in other.places for place in wanted.places):
            sys.exit(f"{other.name} has the path that {name} would get: choose another name, or another plural.")


def require_less_open(record: Record, project: Origin, theirs: Files) -> None:
    """Raises SystemExit with one sentence if a nested resource would be open to more people than this one."""
    for child in all_records():
        if child.parent == record.name:
            render(project, child.answers, [*referred(child.answers), child.path], theirs)


def wanted(record: Record, request: Request, renames: Mapping[str, str]) -> str:
    """Returns the whole new list of fields."""
    if not request.fields:
        return edited(record.fields, add=request.add, drop=request.drop, renames=renames)
    if request.add or request.drop:
        sys.exit("fields= gives the whole new list: leave add= and drop= out, or fields=.")
    if missing := [new for new in renames.values() if new not in names_of(request.fields)]:
        sys.exit(f"rename= leads to '{missing[0]}', which fields= does not have: add it there.")
    return request.fields


def rules(record: Record, request: Request, renames: Mapping[str, str], fields: str) -> dict[str, str]:
    """Returns the rules over several fields: those that were given, or else those that the resource has."""
    found = {}
    for answer in RULES:
        if new := getattr(request, answer):
            found[answer] = given(new)
        else:
            found[answer] = followed(answer, getattr(record, answer), renames, record.fields, fields)
    return found


def checked_fills(difference: Difference, request: Request, theirs: Files) -> dict[str, str]:
    """Returns the result of `fills`. Raises SystemExit with one sentence if data might be lost as well."""
    for old, new in difference.narrowed:
        sys.exit(
            f"The values of {old.name} may not fit {new.type}, since it is {old.type}: add a field of the new type, "
            "move the data over, and drop the old one."
        )
    lost = ", ".join(column.name for column in difference.dropped)
    if lost and not request.yes:
        sys.exit(f"This deletes {lost} of {difference.table}, with all data in it: confirm it with yes=1.")
    return fills(difference, request.backfill, request.name, theirs)
