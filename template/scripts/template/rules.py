"""Rules over several fields, as `make resource` takes them. The template checks whether they are valid."""

import re
import sys
from collections.abc import Mapping

from scripts.template.fields import types_of

NONE = "none"


def given(rules: str) -> str:
    """Returns the rules as they were written, or an empty string for `none`."""
    return "" if rules == NONE else rules


def followed(answer: str, rules: str, renames: Mapping[str, str], before: str, after: str) -> str:
    """Returns the rules after a change of the fields, with their new names.

    Raises SystemExit with one sentence if a field that they name is dropped, or gets another type.
    """
    new = re.sub(r"\w+", lambda name: renames.get(name[0], name[0]), rules)
    old_types, new_types = types_of(before), types_of(after)
    kept = {renames.get(name, name): kind for name, kind in old_types.items()}
    for rule in new.split():
        if changed := [name for name in re.findall(r"\w+", rule) if kept.get(name) != new_types.get(name)]:
            what = "expand=" if answer == "expand" else f"The rule '{rule}'"
            sys.exit(f"{what} names '{changed[0]}', which changes: give {answer}= again, or {answer}={NONE}.")
    return new
