"""Shows what an update does. `make update DRY=1` runs it in a temporary copy of the project."""

from time import monotonic

from scripts.template.conflicts import marked_text
from scripts.template.git import changed, git
from scripts.template.report import listed
from scripts.template.update import bring


def main() -> None:
    """Updates the copy, and prints the report, the conflicts, the files and the seconds that it took."""
    print("Nothing is written. This is what make update says:\n")
    started = monotonic()
    bring()
    seconds = monotonic() - started
    texts = [marked_text(name) for name in changed("U")]
    parts = [*texts, *files(), f"It took {seconds:.0f} seconds."]
    print("", *filter(None, parts), sep="\n")


def files() -> list[str]:
    """Lists the files that the update changed, added and removed, with the numbers of lines added and removed."""
    git("add", "--all", "--", ".")
    kinds = {"M": "Files that change", "A": "Files that are added", "D": "Files that are deleted"}
    return [listed(what, map(counted, numbers(kind))) for kind, what in kinds.items()]


def numbers(kind: str) -> list[str]:
    """Returns lines of git, each with the numbers of added and removed lines and the name; `kind` is M, A or D."""
    only = ("--cached", "--no-renames", "--relative", f"--diff-filter={kind}", "--numstat")
    return git("diff", *only, "HEAD", "--", ".").splitlines()


def counted(line: str) -> str:
    """Returns such a line with the name first."""
    added, gone, name = line.split("\t")
    return name if added == "-" else f"{name} (+{added} -{gone})"  # a binary file has no lines


if __name__ == "__main__":
    main()
