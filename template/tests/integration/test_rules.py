"""A request that breaks a rule over several columns gets an error that names them."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database_errors import client_error

TABLE = """
CREATE TABLE rules (
    number INTEGER, "year" INTEGER, "end" INTEGER, CONSTRAINT ck_rules_end_not_below_year CHECK ("end" >= "year")
)
"""


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"number": 1, "year": 2026, "end": 2027}, "These are already in use together: number, year."),
        ({"number": 2, "year": 2026, "end": 2025}, "A value breaks a rule: end must not be below year."),
    ],
)
async def test_the_columns_are_named_on_every_database(
    session: AsyncSession, values: dict[str, int], said: str
) -> None:
    await session.execute(text(TABLE))
    await session.execute(text('CREATE UNIQUE INDEX uq_rules_number_year ON rules (number, "year")'))
    await session.execute(text("INSERT INTO rules VALUES (1, 2026, 2026), (1, NULL, 2026), (1, NULL, NULL)"))

    with pytest.raises(IntegrityError) as refused:
        async with session.begin_nested():
            await session.execute(text("INSERT INTO rules VALUES (:number, :year, :end)"), values)

    error = client_error(refused.value)
    assert error is not None
    assert error.detail == said
