"""Adds a resource to the project, a slice through all layers and its migration, or changes an existing one.

`make resource` calls it, and passes its arguments in the environment.

    make resource name=invoice fields='number:str(20)! total:decimal(12,2) customer:ref(user)'
    make resource name=invoice fields='number:int year:int' unique='number+year'
    make resource name=invoice add='paid_at:datetime?' rename='total:amount'
"""

import os
import sys
from dataclasses import fields

from scripts.template.change import Request, planned_change, require_free_path
from scripts.template.plan import Plan, apply, differences, shown
from scripts.template.preconditions import require_committed, require_one_head, require_repository
from scripts.template.project import nothing_changed, origin
from scripts.template.records import find, require
from scripts.template.render import existing, render
from scripts.template.report import conflicts, following

USAGE = """Say what to add, or what to change:

    make resource name=invoice fields='number:str(20)! total:decimal(12,2) due:date? customer:ref(user)'
    make resource name=invoice add='paid_at:datetime?' rename='due:due_on' drop='total' yes=1
    make resource name=favourite between='user invoice'

access=     signed-in, owner, admin, public or public-owner
key=        id or slug: what identifies a record in paths
parent=     the resource that it is nested under, such as article
between=    instead of fields: the two sides of a link, such as 'user article'
plural=     if the guessed plural is wrong
unique=     fields that are unique together, such as number+year
check=      how fields compare, such as ends_at>starts_at
expand=     references and links that responses can contain
backfill=   the value of existing rows for a field that becomes required
DRY=1       shows it, and writes nothing

The template's docs/resources.md says what fields there are."""


def main() -> None:
    """Adds or changes what the variables RESOURCE_* describe. Raises SystemExit with the usage if all are empty."""
    request = Request.from_environment()
    if request == Request():
        sys.exit(USAGE)
    with nothing_changed():
        record = find(request.name)
        if request.between or (record and record.between):
            require_plain_link(request)
        require_one_head()
        if record or request.is_change:
            change(request)
        else:
            add(request)


def require_plain_link(request: Request) -> None:
    """Raises SystemExit with one sentence if the request gives a link what only resources have."""
    allowed = {"name", "between", "plural", "yes"}
    if extra := [each.name for each in fields(request) if each.name not in allowed and getattr(request, each.name)]:
        sys.exit(f"A link has two sides and nothing else: leave {extra[0]}= out.")


def add(request: Request) -> None:
    """Adds a resource or a link, or shows it with DRY=1. Raises SystemExit with one sentence if it is not valid."""
    files = render(origin(), request.answers, existing())
    require_free_path(request.name, files)
    plan = Plan(dict(files))
    plan.differences = differences(*plan.tables())
    plan.migration = f"add {plan.differences[0].table.replace('_', ' ')}"
    if os.environ.get("DRY"):
        print("This would be added:", *sorted(plan.files), sep="\n    ")
        return
    print(f"Added {request.name}:", *apply(plan), sep="\n    ")
    print("You may change all of it. Next: make check, and make dev to see it in the documentation.")


def change(request: Request) -> None:
    """Changes a resource, or shows that with DRY=1. Raises SystemExit with one sentence if it is impossible."""
    record = require(request.name)
    require_repository()
    require_committed()
    plan = planned_change(record, request)
    if not plan:
        print(f"{record.name} is like that already: nothing was changed.")
    elif os.environ.get("DRY"):
        print(shown(plan))
    else:
        print(f"Changed {record.name}:", *apply(plan), sep="\n    ")
        print(conflicts(), following(["make migrate-up"] if plan.differences else []), sep="\n")


if __name__ == "__main__":
    main()
