"""Removes a resource whose files have no changes, and its table. `make resource-remove` calls it."""

import os
import re
import sys
from collections.abc import Iterator

from scripts.template.plan import Plan, apply, differences
from scripts.template.preconditions import require_committed, require_one_head, require_repository
from scripts.template.project import ROOT, nothing_changed
from scripts.template.records import Record, above, all_records, require
from scripts.template.render import Files, existing
from scripts.template.resources import edited, rendered

MODULES = (
    r"app\.(domain\.(models|schemas)\.{0}|(repository|service|api\.v1)\.{0}_(repository|service|router))\b",
    r"tests\.factories\.{0}_factory\b",
)


def main() -> None:
    """Removes the resource that RESOURCE_NAME names. Raises SystemExit with one sentence if it cannot."""
    with nothing_changed():
        record = require(os.environ.get("RESOURCE_NAME", ""))
        require_repository()
        require_committed()
        require_one_head()
        remove(record)


def remove(record: Record) -> None:
    """Deletes the files and writes the migration, or shows them with DRY=1. Raises SystemExit without RESOURCE_YES."""
    files = rendered(record)
    changed = [name for name in edited(record, files) if (ROOT / name).exists()]
    refuse("These files contain your changes, so nothing was removed; delete them, or undo the changes", changed)
    refuse(f"{record.name} is still in use; change these first", sorted(users(record, files)))
    plan = Plan(dict.fromkeys([*files, record.path]), migration=f"remove {record.plural.replace('_', ' ')}")
    plan.differences = differences(*plan.tables())
    if os.environ.get("DRY"):
        print("This would be removed:", *plan.files, sep="\n    ")
    elif os.environ.get("RESOURCE_YES"):
        print(f"Removed {record.name}:", *apply(plan), sep="\n    ")
        print("The last of these deletes its table. Next: make migrate-up, make check, then commit.")
    else:
        sys.exit(f"This deletes the table {record.plural}, with all data in it: confirm it with yes=1.")


def refuse(reason: str, names: list[str]) -> None:
    """Raises SystemExit with the reason and the names, if there are any names."""
    if names:
        sys.exit(f"{reason}: {', '.join(names)}.")


def users(record: Record, files: Files) -> Iterator[str]:
    """Yields the modules and records that refer to the resource."""
    modules = re.compile("|".join(MODULES).replace("{0}", record.name))
    for name in existing(without=files):
        if modules.search((ROOT / name).read_text("utf-8")):
            yield name
    for other in all_records():
        refers = re.search(rf":refs?\({record.name}\)", other.fields) or record.name in above(other.answers)
        expands = other.name in above(record.answers) and record.between and record.name in other.expand.split()
        if other != record and (refers or expands):
            yield other.path


if __name__ == "__main__":
    main()
