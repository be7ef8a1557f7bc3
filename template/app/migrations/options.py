"""How the models are compared with a database: the same in Alembic's `env.py` and in the tests."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _repr_type
from alembic.runtime.plugins import Plugin
from sqlalchemy import JSON, TypeDecorator

from app.core.config import ROOT
from app.domain.models.base import Base
from app.migrations import check_constraints

CHECK_CONSTRAINTS = "app.check_constraints"

Plugin.setup_plugin_from_module(check_constraints, CHECK_CONSTRAINTS)


def is_ours(name: str | None, kind: str, parents: Mapping[str, str | None]) -> bool:
    """Returns whether to compare this object.

    A table that neither a model nor a migration names belongs to somebody else. The index of a search is made by a
    migration alone, since not every server can have it.
    """
    if kind == "index":
        return name != f"ix_{parents['table_name']}_search"
    if kind != "table":
        return True
    return parents["schema_qualified_table_name"] in Base.metadata.tables or name in _created()


@cache
def _created() -> frozenset[str]:
    """Returns the tables that migrations create, including those whose models are gone."""
    migrations = (path.read_text(encoding="utf-8") for path in (ROOT / "alembic").rglob("*.py"))
    made = re.compile(r"""(?:create_table\(|rename_table\(\s*["']\w+["'],)\s*["'](\w+)["']""")
    return frozenset(name for code in migrations for name in made.findall(code))


def render_type(kind: str, item: object, context: AutogenContext) -> str | Literal[False]:
    """Renders types that need an import; False leaves the others to Alembic."""
    if kind != "type":
        return False
    if isinstance(item, TypeDecorator):  # its type in the database: the migration outlives the decorator's code
        return str(_repr_type(item.impl_instance, context))
    if isinstance(item, JSON):  # Alembic renders JSONB with an argument that it does not import
        context.imports.add("from sqlalchemy import Text")
    if not type(item).__module__.startswith("sqlalchemy."):
        context.imports.add(f"import {type(item).__module__}")
    return False


OPTIONS: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "include_name": is_ours,
    "render_item": render_type,
    "autogenerate_plugins": ["alembic.autogenerate.*", CHECK_CONSTRAINTS],
}
