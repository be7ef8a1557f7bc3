"""The sets of answers that differ in what they render, read from copier.yml so that a new choice is tested at once."""

from typing import Any

import yaml

from scripts.new import ROOT

TEMPLATE: dict[str, Any] = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))


def choices(question: str) -> list[str]:
    given = TEMPLATE[question]["choices"]
    return list(given.values()) if isinstance(given, dict) else given


LONG = {
    "project_name": "Z" * 60,
    "project_slug": "z" * 50,
    "description": "Z" * 100,
    "author_name": "Z" * 80,
    "author_email": "somebody@example.com",
}
SHORT = {"project_name": "a", "project_slug": "a", "description": "a", "author_name": "a"}
UNICODE = {"project_name": "Überfluß & Söhne's 🎤", "description": "100% «Ы» 数", "author_name": "O'Brien, 日本"}
YAML_WORDS = {"project_name": "null", "description": "yes: no", "author_name": "1.0"}

VARIANTS: dict[str, dict[str, str]] = {
    "default": {},
    **{f"license-{choice}": {"license": choice} for choice in choices("license")},
    **{f"python-{choice}": {"python_version": choice} for choice in choices("python_version")},
    "long": LONG,
    "short": SHORT,
    "unicode": UNICODE,
    "yaml-words": YAML_WORDS,
}
