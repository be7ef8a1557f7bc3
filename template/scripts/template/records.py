"""The records of the project's resources: `.copier/invoice.yml` says what the invoices were made from."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from scripts.template.fields import names_of
from scripts.template.project import ROOT, recorded_origin

FOLDER = ".copier"
# The resources that every project has from the start.
TEMPLATES = ("user", "refresh_token")
ANSWERS = ("access", "fields", "plural")
# Answers that name fields, and follow them when they are renamed.
RULES = ("unique", "check", "expand")
# Answers that older records lack, with their defaults.
LATER = {"key": "id", "parent": ""} | dict.fromkeys(RULES, "")
OF_LINKS = ("plural", "between")


@dataclass(frozen=True)
class Record:
    """The answers that a resource or a link was made from, as `make resource` takes them."""

    name: str
    version: str  # the version of the template that the files are from
    access: str
    fields: str
    plural: str
    key: str
    parent: str  # the resource that it is nested under
    unique: str
    check: str
    expand: str
    between: str  # the two sides of a link; empty for a resource

    @property
    def path(self) -> str:
        """Returns the path of its file in the project."""
        return path_of(self.name)

    @property
    def marks(self) -> list[str]:
        """Files by which the template knows the existing fields, which may have names that new ones may not."""
        return [f"{FOLDER}/{self.name}/{name}" for name in names_of(self.fields)]

    @property
    def answers(self) -> dict[str, str]:
        """Returns the answers as the template takes them."""
        names = OF_LINKS if self.between else (*ANSWERS, *LATER)
        return {"resource": self.name} | {name: getattr(self, name) for name in names}

    @property
    def places(self) -> list[tuple[list[str], str]]:
        """Returns the paths of its lists: the resources that each is nested under, and its own segment."""
        own = (above(self.answers), self.name if self.between else self.plural)
        return [own, *(([target], self.plural) for target in listing_targets(self.fields))]


def path_of(name: str) -> str:
    """Returns the path of the record of a resource, whether or not there is one."""
    return f"{FOLDER}/{name}.yml"


def above(answers: Mapping[str, str]) -> list[str]:
    """Returns the names of the resources that this one is nested under: its parent, or what a link leads to."""
    names = (answers.get("parent", ""), *answers.get("between", "").split()[1:])
    return [name for name in names if is_name(name)]


def listing_targets(fields: str) -> list[str]:
    """Returns the resources whose records have a list of those that refer to them: `customer:ref(user)/`."""
    fields_that_refer = (re.match(r"\w+:ref\((\w+)\)[!?^]*/", word) for word in fields.split())
    return [field[1] for field in fields_that_refer if field]


def require_listable(fields: str) -> None:
    """Raises SystemExit with one sentence if the target of a reference with / has no record, or is nested or a link."""
    for name in listing_targets(fields):
        record = find(name)
        if name != "user" and (record is None or record.between):
            sys.exit(
                f"ref({name})/ needs a resource with a record in .copier: remove the /, or run make resource-adopt "
                f"for the {name} first."
            )
        if record and record.parent:
            sys.exit(
                f"The {record.name} is itself nested under the {record.parent}, and paths are nested only once: "
                f"remove the / of ref({record.name})."
            )


def is_name(word: str) -> bool:
    """Returns whether the word can be the name of a resource."""
    return re.fullmatch(r"[a-z][a-z0-9_]*", word) is not None


def marks_of_links(name: str) -> list[str]:
    """Returns files by which the template knows the links that lead to the resource."""
    links = (each for each in all_records() if each.between and name in above(each.answers))
    return [f"{FOLDER}/{name}+{link.name}" for link in links]


def find(name: str) -> Record | None:
    """Returns None if there is no record. Raises SystemExit with one sentence if the record is not valid."""
    path = ROOT / path_of(name)
    return parsed(name, path.read_bytes()) if is_name(name) and path.is_file() else None


def parsed(name: str, content: bytes) -> Record | None:
    """Returns the record in the content of its file, like `find`."""
    recorded = recorded_origin(content)
    if recorded and "resource" not in recorded.answers:
        return None  # the answers of another template
    usual = LATER | {"between": ""}
    if recorded and "between" in recorded.answers:
        usual |= dict.fromkeys(ANSWERS, "")  # which a link lacks
    answers = usual | recorded.answers if recorded else {}
    values = [answers.get(answer) for answer in (*ANSWERS, *LATER, "between")]
    if recorded is None or answers.get("resource") != name or not all(isinstance(value, str) for value in values):
        sys.exit(f"{path_of(name)} is not as make resource wrote it: restore it from git (git log {path_of(name)}).")
    return Record(name, recorded.version, *map(str, values))


def all_records() -> list[Record]:
    """Returns the records in the order of their names. Raises SystemExit like `find`."""
    found = (find(path.stem) for path in sorted((ROOT / FOLDER).glob("*.yml")))
    return [record for record in found if record]


def require(name: str) -> Record:
    """Returns the record. Raises SystemExit with one sentence if there is no such resource, or no record of it."""
    if record := find(name):
        return record
    if name in TEMPLATES:
        sys.exit(f"{name} belongs to the template: change its files by hand, and run make migrate-create.")
    if name and (ROOT / f"app/domain/models/{name}.py").is_file():
        sys.exit(
            f"{name} has no record in {FOLDER}: run make resource-adopt name={name} fields='...' with the fields "
            "that it was made with."
        )
    known = ", ".join(record.name for record in all_records()) or "none yet"
    sys.exit(f"There is no resource '{name}': the resources are {known}.")
