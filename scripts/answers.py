"""The questions of copier.yml as a contract: names, types and choices, which others depend on and may only grow."""

from collections.abc import Iterator, Mapping
from typing import Any

Contract = dict[str, dict[str, Any]]


def contract(template: Mapping[str, Any]) -> Contract:
    """Returns the questions that can be answered, without those that are only computed."""
    return {
        name: {"type": kind(question), "choices": choices(question)}
        for name, question in template.items()
        if not name.startswith("_") and question.get("when") is not False
    }


def kind(question: Mapping[str, Any]) -> str:
    """Returns the type of the answer, such as `str` or `list of str`."""
    return f"list of {question['type']}" if question.get("multiselect") else str(question["type"])


def choices(question: Mapping[str, Any]) -> list[Any]:
    """Returns the values to choose from, or an empty list if the answer is free."""
    given = question.get("choices", [])
    values = given.values() if isinstance(given, dict) else given
    return [value["value"] if isinstance(value, dict) else value for value in values]


def taken_away(old: Contract, new: Contract) -> Iterator[str]:
    """Yields a sentence for each change that may make an earlier answer invalid."""
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
