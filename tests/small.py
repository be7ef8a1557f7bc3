"""Makes a small template with the real tooling and two releases that move files, so that an update takes a second."""

import shutil
import sys
from pathlib import Path

from scripts.new import ROOT
from tests.conftest import commit, run
from tests.releases import NOW, edit

# A release that moves files and removes one, and one that moves them again.
MOVES, MOVES_AGAIN = "v1001.0.0", "v1002.0.0"
OLD, NEW, NEWEST = "app/routes.py", "app/paths.py", "app/core/paths.py"
REMOVED = "SECURITY.md"
PICTURE, PICTURE_MOVED = "logo.bin", "app.bin"
# A file that leaves another one behind where it was.
GUIDE, GUIDE_MOVED, GUIDE_MOVED_AGAIN = "AGENTS.md", "CODING.md", "GUIDE.md"
GUIDANCE, FORWARDER = "For people.\n", "# See CODING.md\n"
DOCUMENTED = "The paths that the application serves."
ANSWERS = "{{ _copier_conf.answers_file }}.jinja"
QUESTIONS = """
_subdirectory: template
_envops:
  keep_trailing_newline: true
_exclude: []
mail:
  type: str
  default: smtp
"""
CODE = f'''"""{DOCUMENTED}"""

from collections.abc import Iterable


def paths(served: Iterable[str]) -> list[str]:
    return sorted(served)
'''
FILES = {OLD: CODE, GUIDE: f"# Guide\n\n{GUIDANCE}", REMOVED: "# Security\n", PICTURE: "\0old"}
PLACE, OURS = "    return sorted(served)\n", "    # Ours: in order.\n"


def small_template(template: Path) -> Path:
    first_release(template)
    (template / "template" / REMOVED).unlink()
    move(template, OLD, NEW)
    move(template, GUIDE, GUIDE_MOVED)
    move(template, PICTURE, PICTURE_MOVED)
    edit(template, f"template/{NEW}", DOCUMENTED, f"{DOCUMENTED} Moved.")
    (template / "template" / GUIDE).write_text(FORWARDER)
    (template / "template" / PICTURE_MOVED).write_text("\0new")
    release(template, MOVES)
    move(template, NEW, NEWEST)
    move(template, GUIDE_MOVED, GUIDE_MOVED_AGAIN)
    release(template, MOVES_AGAIN)
    return template


def first_release(template: Path) -> Path:
    shutil.copytree(ROOT / "template/scripts", template / "template/scripts")
    for name in (".gitignore", ANSWERS):
        shutil.copy2(ROOT / "template" / name, template / "template" / name)
    for name, text in FILES.items():
        (template / "template" / name).parent.mkdir(exist_ok=True)
        (template / "template" / name).write_text(text)
    (template / "copier.yml").write_text(QUESTIONS)
    run("git", "init", "-q", cwd=template)
    release(template, NOW)
    return template


def move(template: Path, old: str, new: str) -> None:
    (template / "template" / new).parent.mkdir(exist_ok=True)
    run("git", "mv", f"template/{old}", f"template/{new}", cwd=template)
    with (template / "moves.toml").open("a") as file:
        file.write(f'\n[[move]]\nfrom = "{old}"\nto = "{new}"\n')


def release(template: Path, version: str) -> None:
    commit(template)
    run("git", "tag", version, cwd=template)


def changed_project(rendered: Path, project: Path) -> Path:
    """Makes a project with changes in the files that the later releases move and remove."""
    shutil.copytree(rendered, project)
    edit(project, OLD, PLACE, OURS + PLACE)
    edit(project, REMOVED, "# ", "# Ours: ")
    (project / OLD).chmod(0o755)
    commit(project)
    return project


def update(project: Path, version: str = "", *, status: int = 0, **variables: str) -> str:
    """Does what `make update` does, in the environment of these tests."""
    return tool(project, "update", status=status, UPDATE_VERSION=version, **variables)


def tool(project: Path, *what: str, status: int = 0, **variables: str) -> str:
    """Runs this module of the tooling, or this code, as a Make target would."""
    environment = {"UPDATE_VERSION": "", "UPDATE_TRUST": "", "UPDATE_BRANCH": "", "DRY": ""} | variables
    command = what if what[0] == "-c" else ("-m", f"scripts.template.{what[0]}")
    return run(sys.executable, *command, cwd=project, status=status, environment=environment)
