"""Lists sets of answers that render differently, read from copier.yml, so that a new choice is tested at once."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import yaml
from allpairspy import AllPairs
from jinja2 import Environment, meta

from scripts.new import ROOT, questions

Answers = dict[str, Any]

TEMPLATE: dict[str, Any] = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))

_jinja = Environment(autoescape=False)  # noqa: S701 (judges answers, renders no page)


def choices(question: str) -> list[Any]:
    """Returns the values that copier.yml has for a question."""
    given = TEMPLATE[question]["choices"]
    return [_value(choice) for choice in (given.values() if isinstance(given, dict) else given)]


def is_possible(answers: Answers) -> bool:
    """Returns whether copier.yml accepts these answers together."""
    return not any(
        _jinja.from_string(rule).render(answers)
        for rule in chain.from_iterable(_rules(name, value) for name, value in answers.items())
        if meta.find_undeclared_variables(_jinja.parse(rule)) <= answers.keys()
    )


def _is_list(question: str) -> bool:
    return bool(TEMPLATE[question].get("multiselect"))


def _value(choice: Any) -> Any:
    return choice["value"] if isinstance(choice, dict) else choice


def _rules(question: str, value: object) -> Iterator[str]:
    given = TEMPLATE[question]["choices"]
    for choice in given.values() if isinstance(given, dict) else given:
        if isinstance(choice, dict) and choice["value"] == value:
            yield choice["validator"]


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

# Every question with choices. If several may be chosen, each choice is a factor of its own.
FACTORS: list[tuple[str, list[Any]]] = [
    factor
    for name in TEMPLATE
    if name in questions() - {"kind", "profile"} and "choices" in TEMPLATE[name]
    for factor in ([(name, [[], [value]]) for value in choices(name)] if _is_list(name) else [(name, choices(name))])
]


def answers_of(row: Sequence[Any]) -> Answers:
    """Returns the answers of a row, which has a value for each factor, or for the first ones."""
    answers: Answers = {}
    for (name, _), value in zip(FACTORS, row, strict=False):
        answers[name] = answers.get(name, []) + value if _is_list(name) else value
    return answers


# Each possible pair of choices is in at least one of these.
PAIRWISE = {
    f"pair-{number}": answers_of(row)
    for number, row in enumerate(
        AllPairs([values for _, values in FACTORS], filter_func=lambda row: is_possible(answers_of(row)))
    )
}

# The named sets, whose projects run their own tests.
PROFILES: dict[str, Answers] = {name: {"profile": name} for name in choices("profile")} | {
    "sqlite-tasks": {"profile": "minimal", "database": "sqlite", "cache": "valkey", "tasks": "taskiq", "mail": "smtp"},
}

# The choices that add nothing.
NONE: Answers = {
    "database": "postgresql",
    "cache": "none",
    "tasks": "none",
    "observability": [],
    "mail": "none",
    "kubernetes": False,
    "ci": "none",
}

VARIANTS: dict[str, Answers] = {
    **PROFILES,
    **PAIRWISE,
    "long": LONG,
    "short": SHORT,
    "unicode": UNICODE,
    "yaml-words": YAML_WORDS,
}
