"""Says what an update does, in a copy that nobody keeps. `make update DRY=1` has it run there."""

from time import monotonic

from scripts.template.conflicts import marked_text
from scripts.template.git import changed, git
from scripts.template.report import listed
from scripts.template.update import bring


def main() -> None:
    print("Nothing is written. This is what make update says:\n")
    started = monotonic()
    bring()
    seconds = monotonic() - started
    texts = [marked_text(name) for name in changed("U")]
    parts = [*texts, *files(), f"It took {seconds:.0f} seconds."]
    print("", *filter(None, parts), sep="\n")


def files() -> list[str]:
    """What it did to which files, with the lines that came and went."""
    git("add", "--all", "--", ".")
    kinds = {"M": "Files that change", "A": "Files that come", "D": "Files that go"}
    return [listed(what, map(counted, numbers(kind))) for kind, what in kinds.items()]


def numbers(kind: str) -> list[str]:
    only = ("--cached", "--no-renames", "--relative", f"--diff-filter={kind}", "--numstat")
    return git("diff", *only, "HEAD", "--", ".").splitlines()


def counted(line: str) -> str:
    added, gone, name = line.split("\t")
    return name if added == "-" else f"{name} (+{added} -{gone})"  # it has no lines


if __name__ == "__main__":
    main()
