"""The conflicts that an update left, from <<<<<<< to >>>>>>>."""

from collections.abc import Iterator

from scripts.template.project import ROOT

BEGIN, END = "<<<<<<< before updating", ">>>>>>> after updating"


def marked(name: str) -> list[range]:
    """Returns the lines of each conflict, counted from 1. A binary file, or one that one side deleted, has none."""
    return list(ranges(lines_of(name)))


def ranges(lines: list[str]) -> Iterator[range]:
    """Yields the lines of each conflict with its marks, counted from 1."""
    begin = 0
    for number, line in enumerate(lines, 1):
        if line.startswith(BEGIN):
            begin = number
        elif line.startswith(END) and begin:
            yield range(begin, number + 1)
            begin = 0


def place(name: str) -> str:
    """Returns the name of the file, and the lines of its conflicts."""
    found = [f"{lines[0]} to {lines[-1]}" for lines in marked(name)]
    return f"{name} (lines {', '.join(found)})" if found else name


def marked_text(name: str) -> str:
    """Returns the text of each conflict, below the line where it begins."""
    lines = lines_of(name)
    return "\n".join(
        "\n".join([f"{name}, line {part[0]}:", *(f"    {lines[number - 1]}".rstrip() for number in part), ""])
        for part in marked(name)
    )


def lines_of(name: str) -> list[str]:
    """Returns the lines of the project's file, or an empty list if there is none."""
    path = ROOT / name
    return path.read_text("utf-8", errors="replace").splitlines() if path.is_file() else []
