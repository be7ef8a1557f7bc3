"""Brings the project to a newer version of its template, and says what that means for it.

`make update` and `make update-check` call it. In the latter its status is 0 when there is nothing newer, 2 when there
is, and 1 when that cannot be known.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from copier import run_update
from copier.errors import UnsafeTemplateError

from scripts.template.git import changed, git
from scripts.template.heal import heal, in_progress, record
from scripts.template.moves import Carried, Moves, Update, carry
from scripts.template.project import ANSWERS, ROOT, Origin, fresh_render, muted, origin, plain_errors, tidy
from scripts.template.report import MIGRATIONS, healed, report, state
from scripts.template.versions import Versions, news, versions_of


def main() -> None:
    project = origin()
    with versions_of(project) as versions:
        if sys.argv[1:] == ["check"]:
            check(project, versions)
            return
        require_repository()
        if not in_progress(project):
            require_committed()
        with plain_errors():
            found = heal(project, versions)
        if found:
            print(healed(*found))
        else:
            require_committed()
            update(project, versions)
    if not changed("U", MIGRATIONS):
        merge_migrations()


def check(project: Origin, versions: Versions) -> None:
    if versions.includes(project.version, versions.newest):
        print(f"The project is at {project.version}: nothing is newer.")
    else:
        print(f"The project is at {project.version}, and the template at {versions.newest}: run make update.")
        sys.exit(2)


def update(project: Origin, versions: Versions) -> None:
    target = wanted(versions)
    if versions.includes(project.version, target):
        asked = os.environ.get("UPDATE_VERSION")
        print(f"The project is at {project.version}: {f'{target} is not' if asked else 'nothing is'} newer.")
        return
    moves = versions.moves_between(project.version, target)
    with fresh_render(project) as old:
        announce(project, target, versions)
        before = state()
        carried = merge(project, target, moves, old)
    print(report(before, state(), moves, carried))


def require_repository() -> None:
    if not git("ls-files", "--", ANSWERS):
        sys.exit("An update needs the project in git: run git init, git add and git commit first.")


def require_committed() -> None:
    if unsaved := [line[3:] for line in git("status", "--porcelain", "--", ".").splitlines()]:
        names = ", ".join(unsaved[:3]) + (" and more" if unsaved[3:] else "")
        sys.exit(f"There are changes that are not committed ({names}): commit or stash them first.")


def wanted(versions: Versions) -> str:
    version = os.environ.get("UPDATE_VERSION") or versions.newest
    if not versions.knows(version):
        sys.exit(f"The template has no version {version}: it has {', '.join(versions.released) or 'no releases yet'}.")
    return version


def announce(project: Origin, target: str, versions: Versions) -> None:
    print(f"From {project.version} to {versions.name(target)}.\n")
    if fresh := news(versions.changelog(project.version), versions.changelog(target)):
        print("What is new:\n", *(f"    {line}".rstrip() for line in fresh.splitlines()), "", sep="\n")


def merge(project: Origin, target: str, moves: Moves, old: Path) -> Carried:
    """Raises SystemExit with one sentence, and nothing changed, when it cannot."""
    trusted = bool(os.environ.get("UPDATE_TRUST"))
    with undone_on_failure(), plain_errors(), muted():
        try:
            run_update(ROOT, vcs_ref=target, defaults=True, overwrite=True, unsafe=trusted)
        except UnsafeTemplateError:
            sys.exit(
                "This update runs commands of the template: read what its copier.yml lists under _migrations, "
                "then run make update trust=1."
            )
        updated = origin()
        if carried := carry(Update("HEAD", project, updated), moves, old):
            record(updated.version)
        return carried


@contextmanager
def undone_on_failure() -> Iterator[None]:
    """Everything was committed before: whatever differs now came from the update."""
    try:
        yield
    except BaseException as failure:
        git("restore", "--source=HEAD", "--staged", "--worktree", "--", ".")
        git("clean", "--force", "-d", "--quiet", "--", ".")
        if isinstance(failure, KeyboardInterrupt):
            sys.exit("Stopped; nothing was changed.")
        raise


def merge_migrations() -> None:
    """A migration that comes with an update follows the template's last one, and so does the project's first."""
    if not (ROOT / "alembic.ini").is_file():
        return
    config = Config(ROOT / "alembic.ini")
    if len(ScriptDirectory.from_config(config).get_heads()) > 1:
        with plain_errors(), muted():
            merged = command.merge(config, "heads", message="merge the template's migrations")
        assert merged is not None
        path = os.path.relpath(merged.path, ROOT)
        tidy([path])
        print(f"There were several newest migrations, of the template and of the project: {path} merges them.")


if __name__ == "__main__":
    main()
