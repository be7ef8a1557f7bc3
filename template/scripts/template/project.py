"""The template that the project came from, as `.copier-answers.yml` records it."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from copier import run_copy

ROOT = Path(__file__).resolve().parents[2]
ANSWERS = ".copier-answers.yml"


@dataclass(frozen=True)
class Origin:
    """The source, version and answers that the project was rendered from."""

    source: str  # an address or a path, as Copier takes it
    version: str  # a tag or a commit; empty if the template was not in git
    answers: dict[str, Any]


def origin() -> Origin:
    """Returns the recorded origin. Raises SystemExit with one sentence if there is no valid record."""
    path = ROOT / ANSWERS
    if not path.is_file() or not (recorded := recorded_origin(path.read_bytes())):
        sys.exit(f"{ANSWERS} is not as Copier wrote it: restore it from git (git log {ANSWERS}).")
    return recorded


def recorded_origin(text: str | bytes) -> Origin | None:
    """Returns the origin that the text records, or None if the text is not as Copier writes it."""
    try:
        answers = yaml.safe_load(text)
        source, version = answers.pop("_src_path"), answers.pop("_commit", "")
    except Exception:  # noqa: BLE001 (no YAML, no mapping or no source: what to do is the same)
        return None
    return Origin(source, version, answers) if isinstance(source, str) and isinstance(version, str) else None


@contextmanager
def muted() -> Iterator[StringIO]:
    """Holds back what Copier and Alembic print about their steps."""
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as steps:
        yield steps


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turns any error into SystemExit with one sentence."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 (a refusal is a ValueError, a template that is gone one of many kinds)
        sys.exit(re.sub(r"^Validation error for question '\w+': ", "", str(error)))


@contextmanager
def nothing_changed() -> Iterator[None]:
    """For blocks that change nothing if they fail. Raises SystemExit with one sentence on Ctrl-C or a full disk."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit("Stopped; nothing was changed.")
    except OSError as error:
        sys.exit(f"Nothing was changed: {error.strerror or error}.")


@contextmanager
def fresh_render(project: Origin) -> Iterator[Path]:
    """Yields a folder with the project as its version rendered it.

    Raises SystemExit with one sentence if an answer is not valid there, since Copier would silently replace it.
    """
    with TemporaryDirectory() as folder:
        rendered = Path(folder) / "template"
        with plain_errors(), muted():
            run_copy(project.source, rendered, data=project.answers, vcs_ref=project.version, defaults=True)
        known = yaml.safe_load((rendered / ANSWERS).read_text(encoding="utf-8"))
        for name, value in project.answers.items():
            if str(known.get(name)) != str(value):
                sys.exit(f"{ANSWERS} says {name}: {value}, which the template does not know: restore it from git.")
        yield rendered
