"""The versions of the template, as read from its repository."""

import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.template.behaviour import Change, parsed
from scripts.template.project import ANSWERS, ROOT, Origin

ALIASES = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/", "git+": ""}
# Raised by reading moves.toml or behaviour.toml if the file is not valid.
CONTENT_ERRORS = (ValueError, KeyError, TypeError)
RELEASE = re.compile(r"v?\d+(\.\d+)*(\.post\d+)?")


class Versions:
    """The versions in a git repository of the template, which may be a bare one."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository

    @property
    def released(self) -> list[str]:
        """The released versions, newest first."""
        tags = self._git("tag", "--sort=-version:refname").split()
        return [tag for tag in tags if RELEASE.fullmatch(tag)]

    @property
    def newest(self) -> str:
        """The newest release, or the newest commit if there is none."""
        return self.name((self.released or ["HEAD"])[0])

    def name(self, version: str) -> str:
        """Returns the version as Copier records it: a tag, a tag and the number of commits since, or a commit."""
        return self._git("describe", "--tags", "--always", "--end-of-options", version).strip()

    def knows(self, version: str) -> bool:
        """Returns whether the repository has such a tag or commit."""
        return self._run("rev-parse", "--verify", "--end-of-options", version + "^{commit}").returncode == 0

    def includes(self, version: str, other: str) -> bool:
        """Returns whether `version` is `other`, or came after it."""
        return self._run("merge-base", "--is-ancestor", other, version).returncode == 0

    def changelog(self, version: str) -> str:
        """Returns the changelog as of that version, which is empty if it has none."""
        return self._run("show", f"{version}:CHANGELOG.md").stdout

    def moves(self, version: str) -> list[tuple[str, str]]:
        """Returns the moves of files up to that version, in the order in which they were made, as old and new paths."""
        text = self._run("show", "--end-of-options", f"{version}:moves.toml").stdout
        try:
            return [(inside(move["from"]), inside(move["to"])) for move in tomllib.loads(text).get("move", [])]
        except CONTENT_ERRORS:
            sys.exit(f"moves.toml of the template's {version} is not valid: report it to its maintainers.")

    def moves_between(self, version: str, later: str) -> list[tuple[str, str]]:
        """Returns the moves up to the later version that the earlier one does not have."""
        known = self.moves(version)
        return [move for move in self.moves(later) if move not in known]

    def changes_between(self, version: str, later: str) -> list[Change]:
        """Returns the changes of behaviour between the versions, whether or not they concern the project."""
        known = self.changes(version)
        return [change for change in self.changes(later) if change not in known]

    def changes(self, version: str) -> list[Change]:
        """Returns the changes of behaviour up to that version. Raises SystemExit if one is not valid."""
        text = self._run("show", "--end-of-options", f"{version}:behaviour.toml").stdout
        try:
            return parsed(text)
        except CONTENT_ERRORS:
            sys.exit(f"behaviour.toml of the template's {version} is not valid: report it to its maintainers.")

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["git", *arguments]
        return subprocess.run(command, cwd=self.repository, capture_output=True, text=True, check=False)

    def _git(self, *arguments: str) -> str:
        process = self._run(*arguments)
        process.check_returncode()
        return process.stdout


def versions_of(project: Origin) -> Versions:
    """Raises SystemExit with one sentence if the versions cannot be read, or the project's is not among them."""
    if not project.version:
        sys.exit(f"{ANSWERS} names no version of the template: render a project from one that is in git.")
    versions = Versions(ROOT / nearby(project.source))
    if not versions.knows(project.version):
        sys.exit(
            f"The template has no version {project.version} any more, which {ANSWERS} names as _commit: if it is a "
            f"shallow clone, run `git fetch --unshallow --tags` in it; if not, delete {ANSWERS}, run make "
            "template-adopt, which finds the nearest version, and commit that."
        )
    return versions


def nearby(source: str) -> str:
    """Returns the folder of the template, or that of a clone, which lives as long as this process.

    Without the clone, each reader would fetch the template again. Raises SystemExit with one sentence if the template
    cannot be reached.
    """
    where = address(source)
    return where if (ROOT / where).is_dir() else clone(source).name


@cache
def clone(source: str) -> TemporaryDirectory[str]:
    """Returns the folder of a clone. Raises SystemExit with one sentence if the template cannot be reached."""
    folder = TemporaryDirectory()
    command = ["git", "clone", "--quiet", "--bare", "--", address(source), folder.name]
    if subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode != 0:
        sys.exit(
            f"The template cannot be reached at {source}: if it moved, write its new address "
            f"into {ANSWERS} as _src_path and commit that."
        )
    return folder


def inside(name: str) -> str:
    """Returns the path. Raises ValueError if it leads out of the project."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(name)
    return name


def address(source: str) -> str:
    """Turns an address as Copier takes it into one that git takes."""
    for alias, beginning in ALIASES.items():
        if source.startswith(alias):
            return beginning + source.removeprefix(alias).removeprefix("/" if beginning else "")
    return str(Path(source).expanduser()) if source.startswith("~") else source


def news(old: str, new: str) -> str:
    """Returns the entries of the newer changelog that the older one does not have."""
    known = entries(old)
    said = {text for texts in known.values() for text in texts}
    found = []
    for heading, texts in entries(new).items():
        fresh = [text for text in texts if text not in said]
        if fresh and (heading not in known or heading == "Unreleased"):
            found.append("\n".join([heading, *fresh]))
    return "\n\n".join(found)


def entries(changelog: str) -> dict[str, list[str]]:
    """Maps each heading to the paragraphs and items below it."""
    found = {}
    for section in re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]:
        heading, _, body = section.partition("\n")
        found[heading] = [text.strip() for text in re.split(r"\n(?=- |\n)", body) if text.strip()]
    return found
