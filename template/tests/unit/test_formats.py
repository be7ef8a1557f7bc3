import datetime as dt
import json
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import MISSING, AliasGenerator, ConfigDict, Field, computed_field

from app.api.formats import FORMATS
from app.domain.schemas.base import ResponseModel
from app.domain.schemas.common import Expanded
from app.domain.schemas.types import PlainDecimal


class Thing(ResponseModel):
    name: str | None = None
    total: PlainDecimal | None = None
    rate: float | None = None
    paid: bool | None = None
    due: dt.date | None = None
    more: dict[str, Any] | None = None


def row(**fields: Any) -> str:
    return FORMATS["csv"].rows([Thing(**fields)])


@pytest.mark.parametrize(
    ("fields", "written"),
    [
        ({}, ",,,,,"),
        ({"name": "Ada"}, "Ada,,,,,"),
        ({"name": 'a "b", c'}, '"a ""b"", c",,,,,'),
        ({"name": "a\nb\r"}, '"a\nb\r",,,,,'),
        ({"name": "=1+1"}, "'=1+1,,,,,"),
        ({"name": "-1"}, "'-1,,,,,"),
        ({"name": "\t=1"}, "'\t=1,,,,,"),
        ({"name": "\r=1"}, '"\'\r=1",,,,,'),
        ({"name": "\uff0b1"}, "'\uff0b1,,,,,"),
        ({"name": "1=1"}, "1=1,,,,,"),
        ({"total": Decimal("-5.00"), "rate": -0.5}, ",-5.00,-0.5,,,"),
        ({"paid": False, "due": dt.date(2030, 1, 2)}, ",,,false,2030-01-02,"),
        ({"more": {"é": ["=1", None]}}, ',,,,,"{""é"": [""=1"", null]}"'),
    ],
)
def test_a_value_in_a_table(fields: dict[str, Any], written: str) -> None:
    assert row(**fields) == f"{written}\r\n"


def test_a_table_begins_with_the_names_of_its_fields() -> None:
    assert FORMATS["csv"].head(Thing) == "name,total,rate,paid,due,more\r\n"


class Node(ResponseModel):
    model_config = ConfigDict(alias_generator=AliasGenerator(serialization_alias=str.upper))

    name: Annotated[str, Field(serialization_alias="nodeName")] = "a"
    tags: list[str] = Field(default_factory=list)
    hidden: Annotated[str, Field(exclude=True)] = "b"
    parent: Expanded[Thing] = MISSING

    @computed_field  # type: ignore[prop-decorator]  # as Pydantic's documentation does
    @property
    def length(self) -> int:
        return len(self.name)


def test_the_columns_are_the_names_that_every_record_has_in_json() -> None:
    node = Node(name="=1")
    node.parent = Thing()

    assert FORMATS["csv"].head(Node) == "nodeName,TAGS,LENGTH\r\n"
    assert FORMATS["csv"].rows([node]) == "'=1,[],2\r\n"
    assert json.loads(Node().model_dump_json(by_alias=True)).keys() == {"nodeName", "TAGS", "LENGTH"}


def test_a_record_is_a_line_of_json() -> None:
    lines = FORMATS["ndjson"].rows([Thing(name="a\nb", total=Decimal("-5.00")), Thing()])

    nothing = '"rate":null,"paid":null,"due":null,"more":null}\n'
    assert lines == '{"name":"a\\nb","total":"-5.00",' + nothing + '{"name":null,"total":null,' + nothing
