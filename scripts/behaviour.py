"""Reads behaviour.toml, and checks that its entries are valid."""

import tomllib
from collections.abc import Iterator, Sequence
from typing import Any

from scripts.answers import Contract

Change = dict[str, Any]

CONDITIONS = {"option", "edited", "resource"}


def declared(text: str) -> list[Change]:
    """Returns the entries, whether or not they are valid. Raises ValueError if the text is not TOML."""
    changes: list[Change] = tomllib.loads(text).get("change", [])
    return changes


def faults(changes: Sequence[Change], questions: Contract, files: Sequence[str]) -> Iterator[str]:
    """Yields a sentence for each entry that is not valid. `files` are all that a project has or had."""
    for change in changes:
        name = f"{change.get('since')}: {change.get('says')}"
        if change.keys() - CONDITIONS != {"since", "says"} or not all(
            isinstance(each, str) for each in change.values()
        ):
            yield f"An entry has `since`, `says` and any of {', '.join(sorted(CONDITIONS))}: {name}"
        elif not change["says"].endswith("."):
            yield f"`says` must be a sentence: {name}"
        elif "option" in change and not is_choice(change["option"], questions):
            yield f"There is no option {change['option']}: {name}"
        elif "edited" in change and not any(f"{file}/".startswith(f"{change['edited']}/") for file in files):
            yield f"The template never had {change['edited']}: {name}"


def is_choice(option: str, questions: Contract) -> bool:
    """Returns whether a question has the choice that `option` gives as `name=value`."""
    name, _, value = option.partition("=")
    return name in questions and value in [str(choice) for choice in questions[name]["choices"]]


def misplaced(old: Sequence[Change], new: Sequence[Change], version: str) -> Iterator[str]:
    """Yields a sentence for each released entry that was changed or removed, and each new one of another release."""
    for change in old:
        if change not in new:
            yield f"An entry of {change['since']}, which projects have seen, was changed or removed: {change['says']}"
    for change in new:
        if change not in old and change["since"] != version:
            yield f"A new entry is of {change['since']}, and this is {version}: {change['says']}"
