"""Writes a record for a resource that was made before there were records. `make resource-adopt` calls it.

It assumes that the version whose render is most like the files has made them, and updates them from there to the
project's version.
"""

import os
import sys
from dataclasses import replace
from difflib import SequenceMatcher

from scripts.template.change import Request
from scripts.template.fields import columns_of
from scripts.template.files import read
from scripts.template.git import git
from scripts.template.heal import origin_at
from scripts.template.plan import apply, differences, lines, merge_files, patch, shown
from scripts.template.preconditions import require_committed, require_one_head, require_repository
from scripts.template.project import ANSWERS, ROOT, Origin, nothing_changed, origin, recorded_origin
from scripts.template.records import above, find, path_of
from scripts.template.render import Files, referred, render
from scripts.template.report import conflicts, following
from scripts.template.tables import tables_in
from scripts.template.versions import Versions, versions_of


def main() -> None:
    """Adopts the resource or the link that the variables RESOURCE_* describe."""
    with nothing_changed():
        adopt(Request.from_environment().answers)


def adopt(answers: dict[str, str]) -> None:
    """Records and updates the resource, or shows that with DRY=1. Raises SystemExit with one sentence if it cannot."""
    name, project = answers["resource"], origin()
    if find(name):
        sys.exit(f"{name} has its record already, {path_of(name)}: there is nothing to adopt.")
    if not (ROOT / f"app/domain/models/{name}.py").is_file():
        sys.exit(f"There is no resource '{name}' to adopt: name one of those in app/domain/models.")
    require_repository()
    require_committed()
    require_one_head()
    theirs = rendered(project, answers)
    assert theirs
    require_columns(name, theirs)
    version, base = most_alike(project, answers, versions_of(project))
    print(f"{name} was made by {version}. This is what you changed since:\n", own_changes(base), sep="\n")
    plan = merge_files(base, theirs)
    plan.record(path_of(name), theirs)
    plan.migration, plan.differences = f"bring {name} up to date".replace("_", " "), differences(*plan.tables())
    if os.environ.get("DRY"):
        print(f"This would bring it to {project.version}:\n", shown(plan), sep="\n")
    else:
        print(f"It is at {project.version} now:", *apply(plan), sep="\n    ")
        print(conflicts(), following(["make migrate-up"] if plan.differences else []), sep="\n")


def most_alike(project: Origin, answers: dict[str, str], versions: Versions) -> tuple[str, Files]:
    """Returns the version whose render is most like the files, and that render."""
    renders = ((version, rendered(replace(project, version=version), answers)) for version in candidates(versions))
    found = [(likeness(files), version, files) for version, files in renders if files]
    _, version, files = max(found, key=lambda each: each[0])
    return version, files


def require_columns(name: str, files: Files) -> None:
    """Raises SystemExit with one sentence if no model has the table, or the table lacks the column of a field."""
    recorded = recorded_origin(files[path_of(name)].content)
    assert recorded
    plural = recorded.answers["plural"]
    table = tables_in(ROOT).get(plural)
    if table is None:
        sys.exit(f"No model has the table {plural}: give the plural of the resource with plural=.")
    columns = list(columns_of(recorded.answers.get("fields", "")).values())
    columns += [f"{target}_id" for target in above(recorded.answers) if target != "user"]
    if missing := [column for column in columns if column not in table.columns]:
        sys.exit(f"The table {plural} has no column {missing[0]}: give the fields that {name} was made with.")


def candidates(versions: Versions) -> list[str]:
    """Returns the project's past versions, newest first, then all released ones, since history may be incomplete."""
    recorded = map(origin_at, git("log", "--format=%H", "--", ANSWERS).split())
    names = [each.version for each in recorded if each] + versions.released
    return [name for name in dict.fromkeys(names) if versions.knows(name)]


def rendered(project: Origin, answers: dict[str, str]) -> Files:
    """Returns no files if an earlier version cannot render them. Raises SystemExit if the project's version cannot."""
    try:
        return render(project, answers, [*referred(answers), path_of(answers["resource"])])
    except SystemExit:
        if project == origin():
            raise
        return {}


def likeness(files: Files) -> float:
    """Returns the average similarity of the Python files, from 0 to 1."""
    pairs = [(lines(file), lines(read(ROOT / name))) for name, file in files.items() if name.endswith(".py")]
    return sum(SequenceMatcher(None, *pair, autojunk=False).ratio() for pair in pairs) / len(pairs)


def own_changes(base: Files) -> str:
    """Returns a patch of what the project changed in the Python files, or `Nothing.` if it changed nothing."""
    changed = (patch(name, file, read(ROOT / name)) for name, file in base.items() if name.endswith(".py"))
    return "\n".join(filter(None, changed)) or "Nothing."


if __name__ == "__main__":
    main()
