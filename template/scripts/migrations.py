"""Runs Alembic's commands for `make migrate-*`, and says in plain words what to do when one of them fails.

    python -m scripts.migrations up | down | create | merge

Arguments come from the environment, so that neither make nor a shell expands what a user wrote.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from app.core.config import ROOT
from scripts.new_migration import create, write

UNKNOWN = re.compile(r"Can't locate revision identified by '(\w+)'")


def main() -> None:
    """Runs the command that the first argument names."""
    commands = {"up": up, "down": down, "create": create_from_environment, "merge": merge}
    commands[sys.argv[1]]()


def configuration() -> Config:
    """Returns the configuration of Alembic, which then prints the migrations that it runs."""
    config = Config(ROOT / "alembic.ini")
    config.attributes["say"] = True
    return config


def up() -> None:
    """Raises SystemExit, with advice and with Alembic's own message, if it fails; so do the other commands."""
    with explained():
        command.upgrade(configuration(), "head")


def down() -> None:
    """Reverts the migrations after the one that MIGRATION names, or else the last one."""
    with explained():
        command.downgrade(configuration(), os.environ.get("MIGRATION") or "-1")


def merge() -> None:
    """Writes a migration that joins the newest ones. Raises SystemExit with one sentence if there is only one."""
    config = configuration()
    heads = ScriptDirectory.from_config(config).get_heads()
    if len(heads) == 1:
        sys.exit(f"There is one newest migration, {heads[0]}: there is nothing to merge.")
    with explained():
        merged = command.merge(config, "heads", message=f"merge {' and '.join(heads)}")
    assert merged is not None
    print(f"Wrote {os.path.relpath(merged.path)}. Next: make migrate-up")


def create_from_environment() -> None:
    """Writes the migration that the variables MIGRATION_* describe, from the models or as an empty one."""
    name = os.environ.get("MIGRATION_NAME", "")
    with explained():
        if os.environ.get("MIGRATION_EMPTY"):
            write(configuration(), name)
        else:
            rename, lose = os.environ.get("MIGRATION_RENAME", ""), bool(os.environ.get("MIGRATION_LOSE"))
            create(configuration(), name, rename=rename, lose=lose)


@contextmanager
def explained() -> Iterator[None]:
    """Turns errors into SystemExit, with advice if there is any, and the message of Alembic or the database."""
    try:
        yield
    except CommandError as error:
        sys.exit("\n".join([*advice(str(error)), f"Alembic says: {error}"]))
    except (DBAPIError, OSError) as error:
        sys.exit(f"The database says: {error}")


def advice(said: str) -> Iterator[str]:
    """Yields what to do about an error of Alembic, or nothing if its message is not known."""
    heads = ScriptDirectory.from_config(configuration()).get_heads()
    if unknown := UNKNOWN.search(said):
        yield (
            f"The database is at the migration {unknown[1]}, which is not in alembic/versions but on another branch.\n"
            "Switch to that branch, revert it (make migrate-down to= the newest that both have), and switch back.\n"
            "Or begin with an empty database: move .local/postgres or .local/app.db away, or set DATABASE_URL."
        )
    elif len(heads) > 1:
        yield (
            f"There are several newest migrations ({', '.join(heads)}), which were written side by side: "
            "join them with make migrate-merge."
        )
    elif "mbiguous" in said:
        yield "The last migration merges several: say which of them to go back to, as in make migrate-down to=0002"


if __name__ == "__main__":
    main()
