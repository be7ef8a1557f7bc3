"""Renders resources without a project around them, which is quick."""

import json
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scripts.new import ROOT

# These are the settings of copier.yml.
ENVIRONMENT = Environment(
    loader=FileSystemLoader(ROOT),
    autoescape=False,  # noqa: S701 (writes code and sentences, renders no page)
    extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"],
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    undefined=StrictUndefined,
)


@dataclass(frozen=True)
class Resource:
    name: str
    fields: str
    access: str = "signed-in"
    plural: str = ""
    unique: str = ""
    check: str = ""
    key: str = "id"
    parent: str = ""
    parent_key: str = "id"
    expand: str = ""
    slugged: str = ""


def macro(module: str, name: str) -> Callable[..., str]:
    exported: Any = ENVIRONMENT.get_template(f"macros/{module}.jinja").module
    return lambda *arguments: str(getattr(exported, name)(*arguments))


def types() -> dict[str, dict[str, str]]:
    """Returns the table of field types."""
    exported: Any = ENVIRONMENT.get_template("macros/types.jinja").module
    table: dict[str, dict[str, str]] = exported.types
    return table


def render(resources: Iterable[Resource], folder: Path) -> None:
    for resource in resources:
        plural = resource.plural or macro("naming", "plural_of")(resource.name)
        access, rules = resource.access, (resource.unique, resource.check)
        implied = macro("parent", "implied_fields")(access, resource.parent)
        columns = json.loads(macro("fields", "parse")(resource.fields, resource.name, plural, implied, *rules))
        unique = macro("rules", "parsed_unique")(
            resource.unique, resource.fields, resource.name, implied, plural, resource.check
        )
        check = macro("fields", "parse_check")(resource.check, resource.fields, resource.name, plural)
        expansions = macro("expansion", "parsed_expand")(resource.expand, resource.fields, implied, resource.name)
        write(
            "resource",
            folder,
            resource=resource.name,
            access=access,
            plural=plural,
            key=resource.key,
            parent=resource.parent,
            parent_key=resource.parent_key if resource.parent else "",
            slug_source=macro("key", "slug_source")(resource.fields) if resource.key == "slug" else "",
            columns=columns,
            unique_rules=json.loads(unique),
            check_rules=json.loads(check),
            expansions=json.loads(expansions),
            lists=json.loads(macro("fields", "parse_lists")(resource.fields, resource.name)),
            nested_lists=json.loads(macro("fields", "parse_nested")(resource.fields, resource.slugged)),
        )


def write(kind: str, folder: Path, **answers: Any) -> None:
    """Writes the files of this kind with these answers, asked and hidden ones."""
    template = ROOT / "extensions" / kind
    for file in template.rglob("*.jinja"):
        target = folder / file.relative_to(template).with_suffix("")
        target = target.with_name(target.name.replace("{{ resource }}", answers["resource"]))
        target.parent.mkdir(parents=True, exist_ok=True)
        source = ENVIRONMENT.get_template(file.relative_to(ROOT).as_posix())
        target.write_text(source.render(answers, _copier_answers={}))


# This does what `make resource` does, but starts Python and imports modules only once.
ASK = """
import json, os, sys
from scripts.template.resource import main

for arguments in json.load(sys.stdin):
    asked = {f"RESOURCE_{name.upper()}": value for name, _, value in (each.partition("=") for each in arguments)}
    os.environ |= asked
    try:
        main()
    except SystemExit as refusal:
        print(json.dumps(refusal.code))
    for name in asked:
        del os.environ[name]
"""


def make(project: Path, cases: Sequence[Sequence[str]], python: str = ".venv/bin/python") -> None:
    """Runs `make resource` with each list of arguments, and fails with the message if it refuses one of them."""
    said = ask(project, cases, python)
    assert not [line for line in said if line.startswith('"')], said


def ask(project: Path, cases: Sequence[Sequence[str]], python: str = ".venv/bin/python") -> list[str]:
    """Runs `make resource` with each list of arguments, and returns the lines that it prints: refusals as JSON."""
    command = [python, "-c", ASK]
    asked = subprocess.run(command, cwd=project, input=json.dumps(cases), capture_output=True, text=True, check=True)
    return asked.stdout.splitlines()


def refusals(project: Path, cases: Sequence[Sequence[str]]) -> list[str]:
    """Returns the message of `make resource` for each list of arguments, all of which it refuses."""
    lines = ask(project, cases)
    refused = [json.loads(line) for line in lines]
    assert len(refused) == len(cases), lines
    return refused
