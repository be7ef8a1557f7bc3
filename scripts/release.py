"""`make release version=1.2.0`: checks whether the commit may be released, lists it in releases.toml, tags it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

from scripts.answers import Contract, contract, taken_away
from scripts.behaviour import Change, faults, misplaced
from scripts.behaviour import declared as declared_changes
from scripts.moves import Move, declared, rendered, undeclared

ROOT = Path(__file__).resolve().parents[1]
RELEASES = ROOT / "releases.toml"
MAIN = "origin/main"


def main(version: str) -> None:
    """Raises SystemExit with one sentence if the commit cannot be released."""
    released = tomllib.loads(RELEASES.read_text(encoding="utf-8")).get("release", [])
    refuse_version(version, [release["version"] for release in released])
    refuse_commit()
    changes = summary(version)
    if released:
        refuse_changes(released[-1]["commit"])
    refuse_behaviour(version, released[-1]["commit"] if released else "")
    if subprocess.run(["bash", ".ci/run"], cwd=ROOT, check=False).returncode != 0:
        sys.exit("The tests fail: nothing was released.")

    commit = git("rev-parse", "HEAD").strip()
    entry = f'\n[[release]]\nversion = "{version}"\ncommit = "{commit}"\nchanges = {toml_text(changes)}\n'
    with RELEASES.open("a", encoding="utf-8") as file:
        file.write(entry)
    git("tag", "--annotate", "--message", f"{version}: {changes}", f"v{version}")
    print(f"{version} is tagged, and listed in releases.toml. Next: commit that, git push, git push origin v{version}.")


def refuse_version(version: str, released: list[str]) -> None:
    """Raises SystemExit with one sentence if the version is not valid, not newer, or tagged already."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        sys.exit("Say which version, as three numbers: make release version=1.2.0")
    if released and numbers(version) <= numbers(released[-1]):
        sys.exit(f"{version} is not newer than {released[-1]}: versions only rise.")
    if git("tag", "--list", f"v{version}"):
        sys.exit(f"There is a tag v{version} already, and tags never move: choose another version.")


def refuse_commit() -> None:
    """Raises SystemExit with one sentence if something is not committed, or the commit is not on `MAIN`."""
    if git("status", "--porcelain"):
        sys.exit("There are changes that are not committed: commit or stash them first.")
    if not succeeds("merge-base", "--is-ancestor", "HEAD", MAIN):
        sys.exit(f"This commit is not on {MAIN}, where it would stay for good: push it first, and git fetch.")


def summary(version: str) -> str:
    """Returns the first line of the version's section in the changelog, which says what changes for projects."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)\n\n([^-\n#].*)\n", changelog, re.MULTILINE)
    if not section:
        sys.exit(f"CHANGELOG.md lacks a section `## {version} (date)` that begins with one line on what changes.")
    return section[1]


def refuse_changes(last: str) -> None:
    """Raises SystemExit with one sentence if a promise of the last release no longer holds."""
    if faults := list(taken_away(contract_at(last), contract_at("HEAD"))):
        sys.exit(f"Answers are only added: {faults[0]}")
    if changed := git("diff", "--name-only", "--diff-filter=a", last, "HEAD", "--", "template/alembic/versions"):
        sys.exit(f"A shipped migration is never changed: {changed.split()[0]}.")
    known = moves_at(last)
    new = [move for move in moves_at("HEAD") if move not in known]
    for fault in undeclared(renames_since(last), new):
        sys.exit(fault)


def refuse_behaviour(version: str, last: str) -> None:
    """Exits if an entry of behaviour.toml is not valid, or if one of an earlier release was changed."""
    changes, known = behaviour_at("HEAD"), behaviour_at(last) if last else []
    for fault in [*faults(changes, contract_at("HEAD"), files_ever()), *misplaced(known, changes, version)]:
        sys.exit(f"behaviour.toml: {fault}")


def behaviour_at(commit: str) -> list[Change]:
    """Returns an empty list if the commit is older than behaviour.toml."""
    name = f"{commit}:behaviour.toml"
    return declared_changes(git("show", name)) if succeeds("cat-file", "-e", name) else []


def files_ever() -> list[str]:
    """Returns all names that files of the template have or had in a project."""
    names = git("log", "--format=", "--name-only", "--diff-filter=A", "--no-renames", "--", "template").split("\n")
    return sorted({rendered(name) for name in names})


def contract_at(commit: str) -> Contract:
    """Returns the contract of copier.yml as of that commit."""
    return contract(yaml.safe_load(git("show", f"{commit}:copier.yml")))


def moves_at(commit: str) -> list[Move]:
    """Returns an empty list if the commit is older than moves.toml."""
    name = f"{commit}:moves.toml"
    return declared(git("show", name)) if succeeds("cat-file", "-e", name) else []


def renames_since(commit: str) -> str:
    """Returns the files of the template that git finds under another name, however many there are."""
    similar = ("--find-renames=50%", "--no-rename-empty", "-l0", "--diff-filter=R", "--name-status")
    return git("-c", "core.quotePath=off", "diff", *similar, commit, "HEAD", "--", "template")


def numbers(version: str) -> list[int]:
    """Returns the numbers of a version, so that versions can be compared."""
    return [int(number) for number in version.split(".")]


def toml_text(text: str) -> str:
    """Returns the text, which has one line, as a string of TOML."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def git(*arguments: str) -> str:
    """Returns the output of git in this repository. Raises CalledProcessError if it fails."""
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def succeeds(*arguments: str) -> bool:
    """Runs git with these arguments, and returns whether it exits with status 0."""
    return subprocess.run(["git", *arguments], cwd=ROOT, check=False, capture_output=True).returncode == 0


if __name__ == "__main__":
    main(sys.argv[1])
