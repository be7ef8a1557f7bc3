"""The files of the template that moved, as moves.toml declares them."""

import tomllib
from collections.abc import Iterator, Sequence

Move = tuple[str, str]


def declared(text: str) -> list[Move]:
    """Returns the old and the new path of each move, oldest first."""
    return [(move["from"], move["to"]) for move in tomllib.loads(text).get("move", [])]


def destination(name: str, moves: Sequence[Move]) -> str:
    """Returns the path of a file after all moves."""
    for old, new in moves:
        if name == old:
            name = new
    return name


def undeclared(renames: str, moves: Sequence[Move]) -> Iterator[str]:
    """Yields a sentence for each rename in the output of `git diff --name-status` that no chain of moves explains."""
    for line in renames.splitlines():
        old, new = map(rendered, line.split("\t")[1:])
        if destination(old, moves) != new:
            yield f"{old} moved to {new}: declare it in moves.toml."


def rendered(path: str) -> str:
    """Returns the name that a file of the template has in a project."""
    return path.removeprefix("template/").removesuffix(".jinja")
