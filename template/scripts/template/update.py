"""Brings the project to a newer version of its template, and says what that means for it.

`make update` and `make update-check` call it. In the latter its status is 0 when there is nothing newer, 2 when there
is, and 1 when that cannot be known.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from copier import run_update
from copier.errors import UnsafeTemplateError

from scripts.template.behaviour import concerning
from scripts.template.elsewhere import run_elsewhere
from scripts.template.follow import follow
from scripts.template.git import git
from scripts.template.heal import heal, in_progress, last_update, record
from scripts.template.journal import LOCK, is_broken_off, noted
from scripts.template.moves import Carried, Moves, Update, carry
from scripts.template.preconditions import require_committed, require_repository
from scripts.template.project import ROOT, Origin, fresh_render, muted, origin, plain_errors
from scripts.template.report import finished, report, state
from scripts.template.versions import Versions, news, versions_of


def main() -> None:
    """Updates the project. With the argument `check`, DRY or UPDATE_BRANCH, it leaves the working tree as it is."""
    if sys.argv[1:] == ["check"]:
        check(origin())
        return
    require_repository()
    if os.environ.get("DRY"):
        require_committed()
        run_elsewhere("scripts.template.preview")
    elif os.environ.get("UPDATE_BRANCH"):
        run_elsewhere("scripts.template.branch")
    else:
        bring()


def check(project: Origin) -> None:
    """Prints whether the template has a newer version. Raises SystemExit with status 2 if it has."""
    versions = versions_of(project)
    if versions.includes(project.version, versions.newest):
        print(f"The project is at {project.version}: nothing is newer.")
    else:
        print(f"The project is at {project.version}, and the template at {versions.newest}: run make update.")
        sys.exit(2)


def bring() -> None:
    """Finishes the last update, or else brings the next one."""
    if is_broken_off():
        sys.exit("The last update was interrupted: run make update-undo, then make update again.")
    project = origin()
    versions = versions_of(project)
    if in_progress(project):
        if not finish_earlier(project, versions):
            require_committed()
        return
    require_committed()
    with noted():
        if not finish_earlier(project, versions):
            update(project, versions)


def finish_earlier(project: Origin, versions: Versions) -> bool:
    """Does what plain `copier update`, or `make update` of earlier versions, left undone. Returns whether it did."""
    earlier = last_update(project, versions)
    if earlier is None:
        return False
    with plain_errors():
        carried = heal(earlier, versions)
        followed = follow(earlier)
    if carried or followed:
        print(finished(earlier, carried or Carried(), followed))
    return bool(carried or followed)


def update(project: Origin, versions: Versions) -> None:
    """Brings the version that was asked for, and prints a report. Nothing changes if it fails."""
    target = wanted(versions)
    if versions.includes(project.version, target):
        asked = os.environ.get("UPDATE_VERSION")
        print(f"The project is at {project.version}: {f'{target} is not' if asked else 'nothing is'} newer.")
        return
    moves = versions.moves_between(project.version, target)
    with fresh_render(project) as old:
        announce(project, target, versions, old)
        before = state()
        with undone_on_failure():
            carried = merge(project, target, moves, old)
            after = state()
            followed = follow(Update("HEAD", project, origin()))
    print(report(before, after, moves, carried, followed))


def wanted(versions: Versions) -> str:
    """Returns UPDATE_VERSION, or else the newest version. Raises SystemExit with one sentence if it does not exist."""
    version = os.environ.get("UPDATE_VERSION") or versions.newest
    if not versions.knows(version):
        sys.exit(f"The template has no version {version}: it has {', '.join(versions.released) or 'no releases yet'}.")
    return version


def announce(project: Origin, target: str, versions: Versions, old: Path) -> None:
    """Prints both versions, the new entries of the changelog, and what behaves differently in this project."""
    print(f"From {project.version} to {versions.name(target)}.\n")
    if fresh := news(versions.changelog(project.version), versions.changelog(target)):
        print("What is new:\n", *(f"    {line}".rstrip() for line in fresh.splitlines()), "", sep="\n")
    changes = concerning(versions.changes_between(project.version, target), project, old)
    if told := [f"{change.since}: {change.says}" for change in changes]:
        print("What behaves differently in this project:\n", *(f"    {each}" for each in told), "", sep="\n")


def merge(project: Origin, target: str, moves: Moves, old: Path) -> Carried:
    """Merges the new version in. Raises SystemExit with one sentence, and nothing changed, if it cannot."""
    trusted = bool(os.environ.get("UPDATE_TRUST"))
    with plain_errors(), muted():
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
    """Restores the project if the block fails. Everything was committed before, so all that differs is the update's."""
    try:
        yield
    except BaseException as failure:
        all_but_the_lock = (".", f":(exclude){LOCK}")
        git("restore", "--source=HEAD", "--staged", "--worktree", "--", *all_but_the_lock)
        git("clean", "--force", "-d", "--quiet", "--", *all_but_the_lock)
        if isinstance(failure, KeyboardInterrupt):
            sys.exit("Stopped; nothing was changed.")
        raise


if __name__ == "__main__":
    main()
