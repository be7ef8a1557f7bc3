"""Repairs an update that did not follow the template's moves: plain `copier update`, or `make update` until 0.3.0."""

from contextlib import ExitStack
from dataclasses import replace

from scripts.template.git import git
from scripts.template.moves import Carried, Moves, Update, carry
from scripts.template.project import ANSWERS, ROOT, Origin, fresh_render, recorded_origin
from scripts.template.versions import Versions

# Copier rewrites the file at every update, and so removes this line.
RECORD = "# Your changes followed the files that the template moved, up to "


def record(version: str) -> None:
    """Notes that edits followed the moves: if conflicts are resolved in the template's favour, no file shows it."""
    with (ROOT / ANSWERS).open("a", encoding="utf-8") as answers:
        answers.write(f"{RECORD}{version}\n")


def in_progress(project: Origin) -> bool:
    """Returns whether the last update is not committed yet."""
    committed = origin_at("HEAD")
    return committed is not None and committed.version != project.version


def heal(update: Update, versions: Versions) -> Carried | None:
    """Returns None if the update needs no healing, or if its earlier version cannot be rendered any more."""
    moves = versions.moves_between(update.before.version, update.after.version)
    if is_recorded(update) or not moves or not (carried := carried_over(update, moves)):
        return None
    record(update.after.version)
    return carried


def carried_over(update: Update, moves: Moves) -> Carried | None:
    """Returns the edits that were carried over, or None if the earlier version cannot be rendered."""
    with ExitStack() as stack:
        try:
            old = stack.enter_context(fresh_render(update.before))
        except SystemExit:
            return None
        return carry(update, moves, old)


def last_update(project: Origin, versions: Versions) -> Update | None:
    """Returns None if there was no update, or if the template no longer has the version from which it began."""
    until = "" if in_progress(project) else git("log", "-1", "--format=%H", "-G^_commit:", "--", ANSWERS).strip()
    commit = f"{until}^" if until else "HEAD"
    before = origin_at(commit)
    if before is None or not versions.knows(before.version):
        return None
    # The template may have moved since.
    return Update(commit, replace(before, source=project.source), project, until)


def is_recorded(update: Update) -> bool:
    """Returns whether there is a record that the project's changes followed the moves of this update."""
    line = f"{RECORD}{update.after.version}"
    if not update.until:
        return line in (ROOT / ANSWERS).read_text(encoding="utf-8").splitlines()
    return bool(git("log", "-1", "--format=%H", f"-S{line}", f"{update.commit}..", "--", ANSWERS))


def origin_at(commit: str) -> Origin | None:
    """Returns the origin that the project recorded at that commit, or None without a valid record."""
    return recorded_origin(git("show", f"{commit}:./{ANSWERS}"))
