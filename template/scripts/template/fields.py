"""The list of fields, as `make resource` takes it. The template checks whether the fields are valid."""

import re
import sys
from collections.abc import Iterable, Mapping


def names_of(fields: str) -> list[str]:
    """Returns the names of the fields, in their order."""
    return [field.partition(":")[0] for field in fields.split()]


def types_of(fields: str) -> dict[str, str]:
    """Maps each field to the name of its type."""
    return dict(re.findall(r"(\w+):(\w+)\S*", fields))


def renamed_columns(before: str, after: str, renames: Mapping[str, str]) -> dict[str, str]:
    """Maps each renamed column to its new name. Raises SystemExit with one sentence if another column has that name."""
    require_same_lists(before, after, renames)
    known = columns_of(before)
    columns = {known[old]: columns_of(after)[new] for old, new in renames.items()}
    if taken := [new for old, new in columns.items() if new != old and new in known.values()]:
        sys.exit(f"The column {taken[0]} exists already: drop or rename it first, in a separate change.")
    return columns


def require_same_lists(before: str, after: str, renames: Iterable[str]) -> None:
    """Raises SystemExit with one sentence if a list of references gets another name, or lists other records."""
    targets = [dict(re.findall(r"(\w+):refs\((\w+)\)", fields)) for fields in (before, after)]
    changed = [name for name in targets[0].keys() & targets[1].keys() if targets[0][name] != targets[1][name]]
    if lists := [*(old for old in renames if old in targets[0]), *changed]:
        sys.exit(f"The list '{lists[0]}' has a table of its own, which cannot change: drop it, and add a new one.")


def columns_of(fields: str) -> dict[str, str]:
    """Maps each field to its column: that of a reference called customer is customer_id. A list has no column."""
    pairs = (field.partition(":")[::2] for field in fields.split())
    columns = ((name, kind) for name, kind in pairs if not kind.startswith("refs("))
    return {name: f"{name}_id" if kind.startswith("ref(") else name for name, kind in columns}


def edited(fields: str, *, add: str, drop: str, renames: Mapping[str, str]) -> str:
    """Returns the new list. Raises SystemExit with one sentence if a dropped field is unknown, or renamed as well."""
    dropped = drop.split()
    require_known(fields, dropped, "dropped")
    if both := [name for name in dropped if name in renames]:
        sys.exit(f"The field '{both[0]}' is dropped and renamed: do one of the two.")
    pairs = [field.split(":", 1) for field in fields.split()]
    kept = [f"{renames.get(name, name)}:{kind}" for name, kind in pairs if name not in dropped]
    return " ".join([*kept, *add.split()])


def parsed_renames(fields: str, rename: str) -> dict[str, str]:
    """Maps old names to new ones. Raises SystemExit with one sentence if a name is unknown, or a rename malformed."""
    renames: dict[str, str] = {}
    for word in rename.split():
        if not (pair := re.fullmatch(r"([^:]+):([^:]+)", word)):
            sys.exit(f"'{word}' is not a rename: write old:new, such as rename='due:due_on'.")
        if pair[1] in renames:
            sys.exit(f"The field '{pair[1]}' is renamed twice: leave one out.")
        renames[pair[1]] = pair[2]
    require_known(fields, renames, "renamed")
    return renames


def require_known(fields: str, names: Iterable[str], what: str) -> None:
    """Raises SystemExit with one sentence if a name is not a field; `what` says what for, such as `dropped`."""
    known = names_of(fields)
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"There is no field '{unknown[0]}' that could be {what}: the fields are {', '.join(known)}.")
