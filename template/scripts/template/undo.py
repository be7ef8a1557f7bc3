"""Takes back an update that is not committed yet. `make update-undo` calls it.

Changes that people have made since in files of the update are taken back as well, but git keeps them.
"""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.template.applied import require_not_applied
from scripts.template.git import git, git_bytes
from scripts.template.heal import origin_at
from scripts.template.journal import LOCK, differing, digest, forget, is_open, written
from scripts.template.preconditions import require_repository
from scripts.template.project import ANSWERS, ROOT, nothing_changed, recorded_origin
from scripts.template.report import MIGRATIONS, listed

# The ref that keeps the changes that were made since, for git show and git checkout. The next undo replaces it.
KEPT = "template/undone"


def main() -> None:
    """Takes the update back, and prints a report. Raises SystemExit with one sentence if there is none."""
    require_repository()
    if not differing() or not (is_open() or is_in_progress()):
        refuse_committed()
        sys.exit("There is no update to take back.")
    with nothing_changed():
        print(undo())


def is_in_progress() -> bool:
    """Returns whether something other than our own update wrote another version, such as plain `copier update`."""
    now = recorded_origin((ROOT / ANSWERS).read_bytes()) if (ROOT / ANSWERS).is_file() else None
    before = origin_at("HEAD")
    return bool(now and before and now.version != before.version)


def refuse_committed() -> None:
    """Raises SystemExit with the command that reverts the last update, which is committed. Does nothing without one."""
    commit = git("log", "-1", "--format=%h", "-G^_commit:", "--", ANSWERS).strip()
    before, after = origin_at(f"{commit}^"), origin_at(commit)
    if before and after:
        added = git("diff", "--name-only", "--relative", "--diff-filter=A", f"{commit}^", commit, "--", MIGRATIONS)
        require_not_applied(added.splitlines(), f"git revert {commit}")
        sys.exit(f"The update to {after.version} is committed: git revert {commit} takes it back.")


def undo() -> str:
    """Takes back what the update wrote, or all that differs if that was not noted. Returns a report."""
    found, noted = differing(), written()
    names = found if noted is None else [name for name in found if name in noted]
    edited = [name for name in names if noted is None or noted[name] != digest(name)]
    going = [name for name in names if name not in committed()]
    require_none_on_top(going, [name for name in found if name not in names])
    require_not_applied(going, "make update-undo")
    if edited:
        keep()
    restore(names)
    forget()
    what = "You changed these since" if noted is not None else "It is not recorded which of these you changed"
    kept = f"{what}; your versions are kept in {KEPT} (git show {KEPT}:./NAME)"
    own = [name for name in found if name not in names]
    return "\n".join([*filter(None, [listed(kept, edited), listed("Your own changes stay", own)]), done()])


def require_none_on_top(going: list[str], own: list[str]) -> None:
    """Raises SystemExit with one sentence if a migration in `own` may follow one in `going`."""
    on_top = [name for name in own if name.startswith(MIGRATIONS)]
    if on_top and any(name.startswith(MIGRATIONS) for name in going):
        sys.exit(f"{on_top[0]} was written on top of the update's migrations: revert it and delete it first.")


def done() -> str:
    """Returns a sentence that says which version the project is at, and what to run next."""
    before = origin_at("HEAD")
    version = before.version if before else "its version"
    return f"The update is taken back: the project is at {version}, as committed. Next: make install."


def committed() -> set[str]:
    """Returns the names of all files in the last commit."""
    return set(git("ls-tree", "-r", "--name-only", "HEAD").splitlines())


def keep() -> None:
    """Stores all files, whether tracked or not, under the ref `KEPT`, and leaves the project as it is."""
    with TemporaryDirectory() as folder:
        for command in (["read-tree", "HEAD"], ["add", "--all", "--", "."], ["write-tree"]):
            arguments, environment = ["git", *command], os.environ | {"GIT_INDEX_FILE": f"{folder}/index"}
            said = subprocess.run(
                arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
            ).stdout
    git_bytes("update-ref", f"refs/{KEPT}", said.strip())


def restore(names: list[str]) -> None:
    """Restores these files and the lock file to the last commit, and deletes those that it does not have."""
    known = committed()
    for name in [name for name in names if name not in known]:
        (ROOT / name).unlink(missing_ok=True)
        remove_empty(ROOT / name)
        git_bytes("--literal-pathspecs", "rm", "--cached", "--quiet", "--ignore-unmatch", "--", name)
    for name in [name for name in [*names, LOCK] if name in known]:
        git_bytes("--literal-pathspecs", "restore", "--source=HEAD", "--staged", "--worktree", "--", name)


def remove_empty(path: Path) -> None:
    """Removes the folders that contained nothing else."""
    with suppress(OSError):
        for folder in path.parents:
            folder.rmdir()


if __name__ == "__main__":
    main()
