"""How the models are compared with a database: the same in Alembic's `env.py` and in the tests."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from alembic.runtime.plugins import Plugin

from app.core.config import ROOT
from app.domain.models.base import Base
from app.migrations import check_constraints

CHECK_CONSTRAINTS = "app.check_constraints"

Plugin.setup_plugin_from_module(check_constraints, CHECK_CONSTRAINTS)


def is_ours(name: str | None, kind: str, parents: Mapping[str, str | None]) -> bool:
    """Whether it is compared. A table that neither a model nor a migration names belongs to somebody else."""
    if kind != "table":
        return True
    return parents["schema_qualified_table_name"] in Base.metadata.tables or name in _created()


@cache
def _created() -> frozenset[str]:
    """The tables that migrations created, whose models may be gone."""
    migrations = (path.read_text(encoding="utf-8") for path in (ROOT / "alembic").rglob("*.py"))
    made = re.compile(r"""(?:create_table\(|rename_table\(\s*["']\w+["'],)\s*["'](\w+)["']""")
    return frozenset(name for code in migrations for name in made.findall(code))


OPTIONS: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "include_name": is_ours,
    "autogenerate_plugins": ["alembic.autogenerate.*", CHECK_CONSTRAINTS],
}
