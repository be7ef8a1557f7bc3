"""Writes a migration for an index in which PostgreSQL finds parts of words: `make migrate-search table=users`.

The index holds trigrams, which serve every search of three letters or more (PostgreSQL documentation, pg_trgm).
"""

import os
import sys
from collections.abc import Iterator
from textwrap import dedent, indent

from alembic.script import ScriptDirectory
from alembic.util import rev_id

from app.discovery import modules_of
from app.repository.base import Repository
from scripts.migrations import configuration, explained

UPGRADE = """
if op.get_bind().scalar(sa.text("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'")) is None:
    return  # as on the server of `make dev` and `make test`, where a search reads every row
op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
# The index is built outside of a transaction, so that writers need not wait for it.
with op.get_context().autocommit_block():
    op.create_index(
        "ix_{table}_search",
        "{table}",
        {columns},
        postgresql_using="gin",
        postgresql_ops={operators},
        postgresql_where=sa.text("deleted_at IS NULL"),
        postgresql_concurrently=True,
    )
"""
DOWNGRADE = 'op.drop_index("ix_{table}_search", "{table}", if_exists=True)'


def main() -> None:
    """Writes the migration. Raises SystemExit with advice if there is no such table, or its list has no search."""
    searched = dict(searchable())
    table = os.environ.get("SEARCH_TABLE", "")
    if table not in searched:
        sys.exit(f"Say which table, as in make migrate-search table=users. The choices are: {', '.join(searched)}.")
    columns = searched[table]
    values = {"table": table, "columns": columns, "operators": dict.fromkeys(columns, "gin_trgm_ops")}
    with explained():
        script = ScriptDirectory.from_config(configuration()).generate_revision(
            rev_id(),
            f"index the search of {table.replace('_', ' ')}",
            upgrades=indent(dedent(UPGRADE.format(**values)), "    ").strip(),
            downgrades=DOWNGRADE.format(**values),
            imports="",
        )
    assert script is not None
    print(f"Wrote {os.path.relpath(script.path)}. Next: make migrate-up")


def searchable() -> Iterator[tuple[str, list[str]]]:
    """Yields each table whose list can be searched, with the columns that a search looks at."""
    modules_of("app.repository")
    for repository in Repository.__subclasses__():
        if repository.searchable:
            yield repository.model.__tablename__, [column.key for column in repository.searchable]


if __name__ == "__main__":
    main()
