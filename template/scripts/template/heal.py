"""Repairs an update that did not follow the template's moves: plain `copier update`, or `make update` until 0.3.0."""

from contextlib import ExitStack
from dataclasses import replace

from scripts.template.git import git
from scripts.template.moves import Carried, Moves, Update, carry
from scripts.template.project import ANSWERS, ROOT, Origin, fresh_render, recorded_origin
from scripts.template.versions import Versions

# Copier writes the file anew at every update, and so takes the line away.
RECORD = "# Your changes followed the files that the template moved, up to "


def record(version: str) -> None:
    """Where the project resolves a conflict as the template has it, the files do not show that it was done."""
    with (ROOT / ANSWERS).open("a", encoding="utf-8") as answers:
        answers.write(f"{RECORD}{version}\n")


def in_progress(project: Origin) -> bool:
    """Whether the last update is not committed yet."""
    committed = origin_at("HEAD")
    return committed is not None and committed.version != project.version


def heal(project: Origin, versions: Versions) -> tuple[Update, Carried] | None:
    """None where the last update needs no healing, or its earlier version cannot be rendered any more."""
    update = last_update(project)
    if update is None or not versions.knows(update.before.version):
        return None
    moves = versions.moves_between(update.before.version, project.version)
    if not moves or not (carried := carried_over(update, moves)):
        return None
    record(project.version)
    return update, carried


def carried_over(update: Update, moves: Moves) -> Carried | None:
    with ExitStack() as stack:
        try:
            old = stack.enter_context(fresh_render(update.before))
        except SystemExit:
            return None
        return carry(update, moves, old)


def last_update(project: Origin) -> Update | None:
    """None where there was none, or the changes have followed its moves."""
    line = f"{RECORD}{project.version}"
    if in_progress(project):
        commit = "HEAD"
        recorded = line in (ROOT / ANSWERS).read_text(encoding="utf-8").splitlines()
    else:
        commit = git("log", "-1", "--format=%H^", "-G^_commit:", "--", ANSWERS).strip()
        recorded = bool(git("log", "-1", "--format=%H", f"-S{line}", f"{commit}..", "--", ANSWERS))
    before = origin_at(commit)
    # The template may have moved since.
    return Update(commit, replace(before, source=project.source), project) if before and not recorded else None


def origin_at(commit: str) -> Origin | None:
    return recorded_origin(git("show", f"{commit}:./{ANSWERS}"))
