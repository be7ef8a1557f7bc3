"""Shows what the project changed in the files of its template. `make template-diff` calls it."""

import shutil
import subprocess
from pathlib import Path

from scripts.template.project import ANSWERS, ROOT, fresh_render, origin
from scripts.template.versions import versions_of

# Files that the template renders once, and that belong to the project from then on.
SEEDED = {"README.md"}


def main() -> None:
    """Prints the changes as a patch, or a sentence if there are none."""
    project = origin()
    versions_of(project)
    with fresh_render(project) as template:
        ours = template.with_name("project")
        copy_of_template_files(template, ours)
        command = ["git", "diff", "--no-index", "--no-prefix", "--stat", "--patch", template.name, ours.name]
        shown = subprocess.run(command, cwd=template.parent, check=False)
    if shown.returncode == 0:
        print(f"Every file of the template is as {project.version} renders it.")


def copy_of_template_files(template: Path, ours: Path) -> None:
    """Copies the project's versions of the files to `ours`, and removes those that are not compared from `template`."""
    ours.mkdir()
    for path in [path for path in template.rglob("*") if path.is_file()]:
        name = path.relative_to(template)
        if str(name) in {*SEEDED, ANSWERS}:
            path.unlink()
        elif (ROOT / name).is_file():
            (ours / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, ours / name)


if __name__ == "__main__":
    main()
