"""Lists can be filtered by fields of every type, and PostgreSQL uses an index for each filter."""

import re
from pathlib import Path

import pytest

from scripts.new import ROOT
from tests.conftest import copy, run

pytestmark = pytest.mark.slow

FIELDS = (
    "number:str(20)! code:str(20)?^ amount:int?^ large:bigint?^ ratio:float?^ total:decimal(12,2)?^ day:date?^ "
    "moment:datetime?^ key:uuid?^ mail:email?^ site:url?^ kind:enum(draft,sent)? done:bool? customer:ref(user)?"
)

# This runs in the project.
PLANS = '''
"""The plans of a page, at 100,000 records of which one in a hundred fits."""

import datetime as dt
from decimal import Decimal
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.dialects import postgresql

from app.domain.models.thing import Thing
from app.domain.models.user import User
from app.domain.schemas.filters import Filter
from app.domain.schemas.thing import ThingListQuery
from app.repository.thing_repository import ThingRepository

COUNT = 100_000
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
BOUNDS = {"": 50, "in": 50, "gt": 97, "gte": 98, "lt": 1, "lte": 0}


def uuid(number):
    return UUID(int=0x00000000_0000_7000_8000_000000000000 + number)


def times(number):
    moment = START + dt.timedelta(minutes=number)
    return {"created_at": moment, "updated_at": moment}


def values(number):
    """Of each kind 99 values, from small to large; the hundredth record has none."""
    return {
        "code": f"{number:02}",
        "amount": number,
        "large": number,
        "ratio": float(number),
        "total": Decimal(number),
        "day": START.date() + dt.timedelta(days=number),
        "moment": START + dt.timedelta(days=number),
        "key": uuid(number),
        "mail": f"{number:02}@example.com",
        "site": f"https://example.com/{number:02}",
        "kind": "sent" if number == 50 else "draft",
        "done": number == 50,
        "customer_id": uuid(number),
    }


def row(number):
    which = number % 100
    own = values(which) if which < 99 else dict.fromkeys(values(0))
    return own | times(number) | {"id": uuid(number), "number": f"{number:06}"}


def filter_value(name):
    field, _, operator = name.partition("__")
    if operator == "null":
        return True
    known = values(BOUNDS[operator])
    many = BOUNDS[operator] * COUNT // 100
    value = known[field] if field in known else f"{many:06}" if field == "number" else times(many)[field]
    return [value] if operator == "in" else value


async def test_no_page_of_a_filtered_list_reads_the_whole_table(session):
    user = {"full_name": "n", "password_hash": "n"}
    await session.execute(insert(User), [user | {"id": uuid(n), "email": f"{n}@plans.example"} for n in range(99)])
    for first in range(0, COUNT, 10_000):
        await session.execute(insert(Thing), [row(n) for n in range(first, first + 10_000)])
    await session.execute(text("ANALYZE things"))
    things = ThingRepository(session)
    whole, apart = {}, {}

    fields = ThingListQuery.model_fields.items()
    names = [name for name, field in fields if any(isinstance(mark, Filter) for mark in field.metadata)]
    for name in names:
        query = ThingListQuery.model_validate({name: filter_value(name), "count": False})
        page = things._page(query, things._matches(query)).limit(21).offset(None)
        compiled = page.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
        found = await session.execute(text("EXPLAIN " + str(compiled).replace(":", "\\\\:")))
        plan = "\\n".join(found.scalars())
        if "Seq Scan" in plan:
            whole[name] = plan
        if name in {"kind", "done", "customer_id"} and (f" ix_things_{name} " not in plan or "Sort" in plan):
            apart[name] = plan

    assert len(names) > 80
    assert whole == {}
    assert apart == {}, "the index of the filter does not hold the order as well"
'''


# In the project, this sends the requests of the documentation.
EXAMPLES = """
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from tests.factories.invoice_factory import create_invoice

REQUESTS = {requests!r}


async def test_the_examples(admin: AsyncClient, session: AsyncSession) -> None:
    invoices = [await create_invoice(session, status="draft") for _ in range(3)]
    cursor = ""

    for request in REQUESTS:
        response = await admin.get(request.removeprefix("/api/v1").replace("NEXT", cursor))
        assert response.status_code == 200, (request, response.text)
        if "/export" in request:
            assert response.headers["Content-Disposition"].startswith("attachment")
            continue
        cursor = response.json()["next"] or ""
        if "status=draft" in request:
            assert response.json()["items"], request

    late = {{"due": "2026-01-01", "status": "sent"}}
    await admin.patch(f"/invoices/{{invoices[0].id}}", json=late)
    await admin.patch(f"/invoices/{{invoices[1].id}}", json=late | {{"status": "paid"}})
    await admin.patch(f"/invoices/{{invoices[2].id}}", json={{"due": None}})
    found = {{
        value: {{item["id"] for item in (await admin.get("/invoices", params={{"overdue": value}})).json()["items"]}}
        for value in ("true", "false")
    }}
    assert found == {{"true": {{str(invoices[0].id)}}, "false": {{str(invoice.id) for invoice in invoices[1:]}}}}
"""


def test_the_documentation_asks_what_a_list_takes(installed: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs/resources.md").read_text("utf-8")
    fields = re.findall(r"^make resource name=invoice fields='([^']*)'$", page, re.MULTILINE)[0]
    (parameter,) = re.findall(r"^    overdue: .*\n", page, re.MULTILINE)
    (method,) = re.findall(r"^    def filter_overdue.*?(?=^```)", page, re.MULTILINE | re.DOTALL)
    project = copy(installed, tmp_path / "backend")
    run("make", "resource", "name=invoice", f"fields={fields}", cwd=project)
    schema, repository = (
        project / f"app/{name}.py" for name in ("domain/schemas/invoice", "repository/invoice_repository")
    )
    text = schema.read_text().replace("\n\n\nclass InvoiceListQuery", f"\n{parameter}\n\nclass InvoiceListQuery")
    schema.write_text(f"from app.domain.schemas.filters import Own\n{text}")
    imports = "from sqlalchemy import ColumnElement\nfrom app.domain.models.base import utc_now\n"
    imports += "from app.domain.models.invoice import InvoiceStatus\n"
    repository.write_text(f"{imports}{repository.read_text()}\n{method}")
    lists = page.partition("\n## Lists\n")[2].partition("\n## ")[0]
    requests = re.findall(r"^GET (/api/v1/invoices\S*)$", lists, re.MULTILINE)
    assert requests
    (project / "tests/integration/test_examples.py").write_text(EXAMPLES.format(requests=requests))

    run("make", "format", cwd=project)
    run("make", "lint", cwd=project)
    run("make", "test", "ARGS=-k 'invoice or examples'", cwd=project)


def test_each_filter_compares_and_is_served_by_an_index(installed: Path, tmp_path: Path) -> None:
    project = copy(installed, tmp_path / "backend")
    run("make", "resource", "name=thing", f"fields={FIELDS}", cwd=project)
    (project / "tests/integration/test_plans.py").write_text(PLANS)

    run("make", "test", "ARGS=-k 'thing_api or plans'", cwd=project)
