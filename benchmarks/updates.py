"""Saves the result of `make bench-updates`: in a file, and as tables in docs/updating.md."""

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from benchmarks.report import table, with_figures
from scripts.new import ROOT

RESULT = ROOT / "benchmarks/updates.json"
PAGE = ROOT / "docs/updating.md"
TITLES = (
    "what was done before",
    "updates",
    "conflicts where no lines touch",
    "conflicts where they do",
    "edits kept",
    "seconds each",
)

type Measures = Sequence[dict[str, Any]]


def measured(report: Path) -> Measures:
    """Reads a report that pytest wrote with `--junitxml`."""
    properties = ET.parse(report).iter("property")  # noqa: S314 (pytest wrote it, from our own tests)
    found = [json.loads(found.attrib["value"]) for found in properties if found.attrib["name"] == "update"]
    return sorted(found, key=itemgetter("edits", "release", "profile"))


def text(measures: Measures) -> str:
    """Markdown."""
    rows = [(name, *sums(list(group))) for name, group in groupby(measures, itemgetter("edits"))]
    rows.append(("**all of it**", *sums(measures)))
    named = sorted({(measure["release"], name) for measure in measures for name in measure["true_conflicts"]})
    files = (f"{release}: " + ", ".join(f"`{name}`" for _, name in of) for release, of in groupby(named, itemgetter(0)))
    return f"{table(TITLES, iter(rows))}\n\nThe files in conflict: {'; '.join(files)}."


def sums(measures: Measures) -> Iterator[object]:
    """Yields the cells of a row, except for its first one, with the columns of `TITLES`."""
    yield len(measures)
    for conflicts in ("false_conflicts", "true_conflicts"):
        yield sum(len(measure[conflicts]) for measure in measures)
    yield "{} of {}".format(*(sum(measure[name] for measure in measures) for name in ("kept", "made")))
    seconds = [measure["seconds"] for measure in measures]
    yield f"{min(seconds):.0f} to {max(seconds):.0f}"


def keep(measures: Measures) -> None:
    """Writes the measures, and the tables in the page."""
    RESULT.write_text(json.dumps(measures, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8"), text(measures)), encoding="utf-8")


if __name__ == "__main__":
    keep(measured(Path(sys.argv[1])))
    print(f"Kept in {RESULT.relative_to(ROOT)} and {PAGE.relative_to(ROOT)}.")
