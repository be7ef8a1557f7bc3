"""Lists the released versions, and makes templates that have them."""

import subprocess
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from copier import run_copy

from scripts.new import ROOT, copy_working_tree
from tests.conftest import commit, run

RELEASES: dict[str, str] = {
    f"v{release['version']}": release["commit"]
    for release in tomllib.loads((ROOT / "releases.toml").read_text("utf-8"))["release"]
}
# The first releases had no `make resource`.
WITH_RESOURCES = [version for version in RELEASES if version not in ("v0.1.0", "v0.2.0")]
# Resources of these releases have no record. Those of later ones have a record, and a version in each row.
BEFORE_RECORDS = ("v0.1.0", "v0.2.0", "v0.3.0", "v0.4.0")
# The working tree, as if it were released.
NOW = "v1000.0.0"
README = "README.md"  # seeded once: an update leaves it alone
# These are not the defaults, so that the tests notice an update that forgets them.
IDENTITY = {"project_name": "Überfluß & Söhne's", "license": "Apache-2.0", "author_email": "somebody@example.com"}


def require_history() -> None:
    for released in RELEASES.values():
        found = subprocess.run(["git", "cat-file", "-e", released], cwd=ROOT, capture_output=True, check=False)
        if found.returncode != 0:
            pytest.fail(
                "The released commits are not here: run `git fetch --unshallow` (in CI, fetch-depth: 0).", False
            )


def template_with_releases(directory: Path) -> Path:
    """Clones the repository, with a tag for each release, and the working tree as the newest one."""
    require_history()
    run("git", "clone", "-q", "--no-tags", str(ROOT), str(directory), cwd=ROOT)
    run("git", "rm", "-rq", ".", cwd=directory)
    copy_working_tree(directory)
    commit(directory)
    for version, released in {**RELEASES, NOW: "HEAD"}.items():
        run("git", "tag", version, released, cwd=directory)
    return directory


def render(template: Path, project: Path, version: str = NOW, **answers: Any) -> Path:
    """Renders and commits a project of that version."""
    run_copy(str(template), project, data=answers, vcs_ref=version, defaults=True, quiet=True)
    run("git", "init", "-q", cwd=project)
    commit(project)
    return project


def fresh_renders(template: Path, folders: pytest.TempPathFactory) -> Callable[..., Path]:
    """Returns a function that renders the newest version once for each set of answers. Do not write into the result."""
    rendered: dict[str, Path] = {}

    def fresh(**data: Any) -> Path:
        key = repr(sorted(data.items()))
        if key not in rendered:
            rendered[key] = render(template, folders.mktemp("fresh") / "backend", **data)
        return rendered[key]

    return fresh


def answers(project: Path) -> Mapping[str, Any]:
    recorded = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    return {name: value for name, value in recorded.items() if not name.startswith("_")}


def contents(project: Path, *but: str) -> dict[str, bytes]:
    """Returns the content of all files that git tracks or would track."""
    names = set(run("git", "ls-files", "-co", "--exclude-standard", cwd=project).splitlines()) - set(but)
    return {name: (project / name).read_bytes() for name in names if (project / name).is_file()}


def conflicts(project: Path) -> list[str]:
    return run("git", "diff", "--name-only", "--diff-filter=U", cwd=project).splitlines()


def edit(project: Path, name: str, old: str, new: str) -> None:
    path = source(project, name)
    text = path.read_text("utf-8")
    assert text.count(old) == 1, (name, old)
    path.write_text(text.replace(old, new), "utf-8")


def source(project: Path, name: str) -> Path:
    """Returns the path of the file, or in a template, of the file that it is rendered from."""
    return project / name if (project / name).exists() else project / f"{name}.jinja"
