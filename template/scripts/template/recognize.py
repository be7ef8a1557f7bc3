"""Records the template of a project without a record: a copy, or one that lost it. `make template-adopt` calls it.

The version is the one whose render is most like the project. Nothing but the record is written.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from copier import run_copy

from scripts.template.distance import Distance, distance
from scripts.template.files import File, read, write
from scripts.template.git import git
from scripts.template.guess import guessed
from scripts.template.heal import origin_at
from scripts.template.project import ANSWERS, ROOT, Origin, muted, nothing_changed, plain_errors, recorded_origin
from scripts.template.records import FOLDER
from scripts.template.restore import files_of
from scripts.template.versions import Versions, nearby

Found = tuple[Distance, str, File]


def main() -> None:
    """Records the nearest version. Raises SystemExit with one sentence if one is recorded, or no address is known."""
    if (ROOT / ANSWERS).is_file() and recorded_origin((ROOT / ANSWERS).read_bytes()):
        sys.exit(f"The project has its record already, {ANSWERS}: there is nothing to adopt.")
    earlier = recorded_earlier()
    source = os.environ.get("TEMPLATE_SOURCE") or (earlier.source if earlier else "")
    if not source:
        sys.exit(
            "The template of this project is not recorded: give its address, as in template=https://example.com/it."
        )
    with plain_errors():
        answers = earlier.answers if earlier and "resource" not in earlier.answers else guessed()
    with nothing_changed():
        found = list(compared(source, answers))
        nearest = min(found, key=lambda each: each[0])
        if not os.environ.get("DRY"):
            write(ROOT / ANSWERS, nearest[2])
    print(said(found, nearest))


def recorded_earlier() -> Origin | None:
    """Returns the origin that git or the record of a resource still knows, or None."""
    commits = git("log", "--format=%H", "--", ANSWERS).split()
    records = (recorded_origin(path.read_bytes()) for path in sorted((ROOT / FOLDER).glob("*.yml")))
    return next(filter(None, [*map(origin_at, commits), *records]), None)


def compared(source: str, answers: dict[str, Any]) -> Iterator[Found]:
    """Yields the distance to each released version, newest first, and the record that this version writes."""
    try:
        versions = Versions(ROOT / nearby(source))
    except SystemExit:
        sys.exit(f"No template can be reached at {source}: give its address, as in template=https://example.com/it.")
    for version in versions.released or [versions.newest]:
        with TemporaryDirectory() as folder:
            place = Path(folder) / "project"
            with plain_errors(), muted():
                run_copy(source, place, data=answers, vcs_ref=version, defaults=True)
            record = read(place / ANSWERS)
            if record is None:
                sys.exit(f"What is at {source} is not a template that records its version in projects.")
            yield distance(files_of(place)), version, record


def said(found: list[Found], nearest: Found) -> str:
    """Returns the table of distances, the version that was chosen, and its answers, as text."""
    table = [f"    {version}: {how_far}" for how_far, version, _ in found]
    answers = [f"    {line}" for line in nearest[2].content.decode().splitlines() if line and line[0] not in "#_"]
    do = "would write" if os.environ.get("DRY") else "wrote"
    return "\n".join(
        [
            "How far the project is from each version of the template:",
            *table,
            f"\nThe nearest is {nearest[1]}: this {do} it to {ANSWERS}, with these answers, and nothing else:",
            *answers,
            "\nCorrect what is wrong there, look at make template-diff, and commit. After that, make update works.",
        ]
    )


if __name__ == "__main__":
    main()
