"""The filters of a list: each type below is one operator, and each field of a query one parameter that clients may use.

    due__gte: AtLeast[Date] = MISSING

The name of the field says which column is compared, and its type says how. `Own` is for a filter that is not a
comparison: a method of the repository, named `filter_` and the parameter, says which records it finds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import MISSING, BaseModel, Field

Value = TypeVar("Value")
Operator = Literal["eq", "in", "gt", "ge", "lt", "le", "null", "own"]

# How many values `__in` takes.
MAXIMUM_VALUES = 100


@dataclass(frozen=True)
class Filter:
    """Marks a field of a query as a filter."""

    operator: Operator


Is = Annotated[Value | MISSING, Filter("eq"), Field(description="Exactly this value.")]
In = Annotated[
    list[Value] | MISSING,
    Filter("in"),
    Field(description="One of these values: repeat the parameter for each.", min_length=1, max_length=MAXIMUM_VALUES),
]
Above = Annotated[Value | MISSING, Filter("gt"), Field(description="More than this value, or after it.")]
AtLeast = Annotated[Value | MISSING, Filter("ge"), Field(description="At least this value, or not before it.")]
Below = Annotated[Value | MISSING, Filter("lt"), Field(description="Less than this value, or before it.")]
AtMost = Annotated[Value | MISSING, Filter("le"), Field(description="At most this value, or not after it.")]
IsNull = Annotated[bool | MISSING, Filter("null"), Field(description="Whether there is no value.")]
Own = Annotated[Value | MISSING, Filter("own")]

# A query has numbers and booleans as text, which the strict types of JSON bodies refuse.
Number = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
BigNumber = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]


def chosen_filters(query: BaseModel) -> Iterator[tuple[str, Operator, Any]]:
    """The filters that a query uses, as the parameter, the operator and the value of each."""
    declared = _declared(type(query))
    return ((name, declared[name], getattr(query, name)) for name in declared if name in query.model_fields_set)


@cache
def _declared(kind: type[BaseModel]) -> Mapping[str, Operator]:
    marks = ((name, mark) for name, field in kind.model_fields.items() for mark in field.metadata)
    return {name: mark.operator for name, mark in marks if isinstance(mark, Filter)}
