"""Lists the resources that have a record, and what the project changed in their files. `make resources` calls it."""

from dataclasses import replace

from scripts.template.files import read
from scripts.template.project import ROOT, origin
from scripts.template.records import LATER, Record, all_records
from scripts.template.render import Files, referred, render


def main() -> None:
    """Prints a description of each resource, or a sentence if there are none."""
    records = all_records()
    if not records:
        print("There are no resources with a record: make resource adds one.")
    for record in records:
        print(described(record))


def described(record: Record) -> str:
    """Returns the origin of the resource, its fields, its rules, and the files that the project edited."""
    what = f"between {record.between}" if record.between else f"access={record.access}"
    lines = [f"{record.name} ({record.plural}, {what}, made by {record.version or 'no version'})"]
    lines += [f"    {field}" for field in record.fields.split()]
    lines += [f"  {name}: {chosen}" for name, usual in LATER.items() if (chosen := getattr(record, name)) != usual]
    lines += [f"  yours: {name}" for name in edited(record, rendered(record))]
    return "\n".join(lines)


def rendered(record: Record) -> Files:
    """Returns the files as they were made."""
    project = replace(origin(), version=record.version)
    return render(project, record.answers, [*referred(record.answers), record.path])


def edited(record: Record, files: Files) -> list[str]:
    """Returns the names of the files that the project has changed or deleted since."""
    return [name for name, file in files.items() if read(ROOT / name) != file and name != record.path]


if __name__ == "__main__":
    main()
