"""Code that imports by the names from before 0.4.0 still works."""

import sys
import warnings
from importlib import import_module
from importlib.util import find_spec

import pytest

from app.moved import MOVED


def exists(module: str) -> bool:
    """Returns whether this project has the module: an option may have been left out."""
    return find_spec(module.rpartition(".")[0]) is not None and find_spec(module) is not None


@pytest.mark.parametrize(("old", "new"), [(old, new) for old, new in MOVED.items() if exists(new)])
def test_a_module_has_its_old_name_as_well(old: str, new: str) -> None:
    sys.modules.pop(old, None)

    with pytest.warns(DeprecationWarning, match=f"{old} is now {new}"):
        assert import_module(old) is import_module(new)


def test_a_module_of_an_option_that_is_left_out_is_not_found() -> None:
    for old in [old for old, new in MOVED.items() if not exists(new)]:
        with pytest.raises(ModuleNotFoundError), warnings.catch_warnings(action="ignore"):
            import_module(old)
