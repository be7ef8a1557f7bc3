"""Every time that is accepted is stored exactly."""

import datetime as dt
from typing import Any

import pytest
from pydantic import TypeAdapter
from sqlalchemy import Date, DateTime, Text, cast, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.schemas import types


@pytest.mark.parametrize("sent", ["0001-01-02", "0999-12-31", "9999-12-30"])
async def test_a_date_is_stored_as_it_was_accepted(session: AsyncSession, sent: str) -> None:
    date: dt.date = TypeAdapter[Any](types.Date).validate_python(sent)

    stored = await session.scalar(select(cast(literal(date, Date()), Text)))

    assert stored == sent


@pytest.mark.parametrize(
    "sent",
    [
        "0001-01-01T00:00:00.000001Z",
        "0001-01-01T14:00:00+13:59",
        "0999-12-31T23:59:59Z",
        "9999-12-31T23:59:59.999998Z",
        "9999-12-31T23:59:59.999997Z",
    ],
)
async def test_a_time_comes_back_as_it_was_accepted(session: AsyncSession, sent: str) -> None:
    time: dt.datetime = TypeAdapter[Any](types.DateTime).validate_python(sent)

    stored = await session.scalar(select(literal(time, DateTime(timezone=True))))

    assert stored is not None
    assert stored.isoformat() == time.isoformat()
