"""The filters of a list: each type below is one operator, and each field of a query one parameter that clients may use.

    due__gte: AtLeast[Date] = MISSING

The name says which column is compared, the type how. `Own` is for a filter that is no comparison: a method of the
repository, named `filter_` and the parameter, says which records it finds.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from pydantic import MISSING, Field

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
AtLeast = Annotated[Value | MISSING, Filter("ge"), Field(description="This value, more, or after it.")]
Below = Annotated[Value | MISSING, Filter("lt"), Field(description="Less than this value, or before it.")]
AtMost = Annotated[Value | MISSING, Filter("le"), Field(description="This value, less, or before it.")]
IsNull = Annotated[bool | MISSING, Filter("null"), Field(description="Whether there is no value.")]
Own = Annotated[Value | MISSING, Filter("own")]

# What JSON takes as a number or as true and false comes as text in a query.
Number = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
BigNumber = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
