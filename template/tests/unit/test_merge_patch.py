"""Merge patches follow the examples for objects in RFC 7396, appendix A, and withstand hostile input."""

import sys
from copy import deepcopy
from typing import Any

import pytest

from app.core.exceptions import UnprocessableError
from app.core.merge_patch import merged

EXAMPLES: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    (None, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), EXAMPLES)
def test_is_as_the_standard_says_and_changes_neither(target: Any, patch: dict[str, Any], result: Any) -> None:
    before = deepcopy((target, patch))

    assert merged(target, patch, 1000) == result
    assert (target, patch) == before


def test_a_patch_may_be_deeper_than_python_calls() -> None:
    patch: Any = {}
    for _ in range(2 * sys.getrecursionlimit()):
        patch = {"a": patch}

    result: Any = merged({}, patch, 1_000_000)

    while patch:
        patch, result = patch["a"], result["a"]
    assert result == {}


def test_many_patches_cannot_make_it_larger_than_one_request() -> None:
    with pytest.raises(UnprocessableError):
        merged({"a": "x" * 60}, {"b": "x" * 60}, 100)
