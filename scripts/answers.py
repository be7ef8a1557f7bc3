"""The questions of copier.yml, as what others depend on: names, types and choices, which may only grow."""

from collections.abc import Iterator, Mapping
from typing import Any

Contract = dict[str, dict[str, Any]]


def contract(template: Mapping[str, Any]) -> Contract:
    """What can be answered; what is only computed is nobody's business."""
    return {
        name: {"type": kind(question), "choices": choices(question)}
        for name, question in template.items()
        if not name.startswith("_") and question.get("when") is not False
    }


def kind(question: Mapping[str, Any]) -> str:
    return f"list of {question['type']}" if question.get("multiselect") else str(question["type"])


def choices(question: Mapping[str, Any]) -> list[Any]:
    given = question.get("choices", [])
    values = given.values() if isinstance(given, dict) else given
    return [value["value"] if isinstance(value, dict) else value for value in values]


def taken_away(old: Contract, new: Contract) -> Iterator[str]:
    """One sentence for each thing that an answer of yesterday no longer fits."""
    for name, question in old.items():
        if name not in new:
            yield f"The question {name} is gone."
        elif new[name]["type"] != question["type"]:
            yield f"The question {name} was of type {question['type']} and is of type {new[name]['type']}."
        elif question["choices"]:
            for choice in question["choices"]:
                if choice not in new[name]["choices"]:
                    yield f"The choice {choice} of {name} is gone."
        elif new[name]["choices"]:
            yield f"The question {name} took any answer and takes some only."
