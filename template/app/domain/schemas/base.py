"""The two kinds of schema, and the types that every field of text is made of."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError


class RequestModel(BaseModel):
    """Data that a client sends. An unknown field is refused, not dropped."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


# Deprecated: write `field: Type | MISSING = MISSING`, with Pydantic's `MISSING`. This name is removed in 0.6.0.
UNSET: Any = Field(default_factory=lambda: None)


class ResponseModel(BaseModel):
    """Data that a client receives. Its fields are read from the attributes of a model, by name."""

    model_config = ConfigDict(from_attributes=True)


# PostgreSQL stores neither NUL nor an unpaired surrogate, and the latter has no form in UTF-8.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable(value: str) -> str:
    """Raises ValueError for text that a database cannot store."""
    if _UNSTORABLE.search(value):
        raise PydanticCustomError("string_characters", "Text must hold neither NUL nor unpaired surrogates")
    return value


Storable = AfterValidator(storable)
# Pydantic strips U+0085, which is not white space in the regular expressions of JSON Schema (ECMA-262).
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True, pattern=r"[^\s\x85]"), Storable
]
