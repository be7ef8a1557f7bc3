"""Adds a resource to the project: a slice through all layers, from the template that the project came from, and its
migration. `make resource` calls it, with what to add in the environment.

    make resource name=invoice fields='number:str(20)! total:decimal(12,2) customer:ref(user)'
"""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from alembic import autogenerate
from alembic.config import Config
from alembic.operations import ops
from alembic.script import ScriptDirectory
from alembic.util import rev_id
from copier import run_copy
from sqlalchemy import Table, false, func, true
from sqlalchemy.exc import SQLAlchemyError

from scripts.template.project import ROOT, muted, origin, plain_errors, tidy

# The answers of the template, and the variables that they come from.
ANSWERS = {
    "resource": "RESOURCE_NAME",
    "fields": "RESOURCE_FIELDS",
    "plural": "RESOURCE_PLURAL",
    "access": "RESOURCE_ACCESS",
}
PORTABLE_DEFAULTS: dict[type, str] = {
    type(true()): "sa.true()",
    type(false()): "sa.false()",
    type(func.now()): "sa.func.now()",
}


def main() -> None:
    answers = {answer: os.environ[variable] for answer, variable in ANSWERS.items() if os.environ.get(variable)}
    dry = bool(os.environ.get("DRY"))
    migrations = ScriptDirectory.from_config(Config(ROOT / "alembic.ini"))
    if len(migrations.get_heads()) > 1:
        sys.exit("There are several newest migrations: merge them with `alembic merge heads`, and apply that first.")

    with muted() as steps:
        render({"resource": "", "fields": ""} | answers, dry=dry)
        paths = sorted(re.findall(r"create\S*\s+(\S+\.py)", steps.getvalue()))
        if not dry:
            paths.append(migrate(migrations, paths))
            tidy(paths)
    print("This would be added:" if dry else f"Added {answers['resource']}:", *paths, sep="\n    ")
    if not dry:
        print("All of it is yours to change. Next: make check, and make dev to see it in the documentation.")


def render(answers: dict[str, str], *, dry: bool) -> None:
    """Raises SystemExit with one sentence, and nothing written, when the template refuses."""
    project = origin()
    data = {"kind": "resource"} | answers
    with plain_errors():
        run_copy(project.source, ROOT, data=data, vcs_ref=project.version or None, defaults=True, pretend=dry)


def migrate(migrations: ScriptDirectory, paths: Sequence[str]) -> str:
    """Raises SystemExit with one sentence, and what was written taken back, when the model does not fit the others."""
    try:
        return write_migration(migrations, table_in(paths))
    except SQLAlchemyError as error:
        for path in paths:
            (ROOT / path).unlink()
        sys.exit(f"The new table does not fit the others, and nothing was added: {str(error).partition('. ')[0]}.")


def table_in(paths: Sequence[str]) -> Table:
    """The table of the new model."""
    from app.domain.models.base import Base  # noqa: PLC0415 (reads the models that are there now)

    modules = {path.removesuffix(".py").replace("/", ".") for path in paths}
    tables = [mapper.local_table for mapper in Base.registry.mappers if mapper.class_.__module__ in modules]
    assert isinstance(tables[0], Table)
    return tables[0]


def write_migration(migrations: ScriptDirectory, table: Table) -> str:
    """Creates this table and nothing else: unlike Alembic's own comparison, it needs no database."""
    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    upgrade = ops.UpgradeOps([ops.CreateTableOp.from_table(table), *map(ops.CreateIndexOp.from_index, indexes)])
    downgrade = ops.DowngradeOps([ops.DropTableOp.from_table(table)])
    # Alembic names the default argument of this type, and does not import it.
    code = autogenerate.render_python_code(upgrade, render_item=render_default).replace(
        "JSONB(astext_type=Text())", "JSONB()"
    )
    script = migrations.generate_revision(
        rev_id(),
        f"add {table.name.replace('_', ' ')}",
        upgrades=code,
        downgrades=autogenerate.render_python_code(downgrade),
        imports="from sqlalchemy.dialects import postgresql" if "postgresql.JSONB" in code else "",
    )
    assert script is not None
    return str(Path(script.path).relative_to(ROOT))


def render_default(kind: str, item: object, _: object) -> str | Literal[False]:
    """Defaults that databases spell differently stay what they are; Alembic would write the words of one of them."""
    return PORTABLE_DEFAULTS.get(type(getattr(item, "arg", None)), False) if kind == "server_default" else False


if __name__ == "__main__":
    main()
