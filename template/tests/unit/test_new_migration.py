from collections.abc import Iterator

import pytest
from alembic.operations import ops
from alembic.util import CommandError
from sqlalchemy import Boolean, Column, Index, Integer, MetaData, Numeric, String, Table
from sqlalchemy.exc import DBAPIError

from scripts.migrations import explained
from scripts.new_migration import loss_of, name_fault, process_changes

NOTES = Table(
    "notes", MetaData(), Column("title", String(10)), Column("pages", Integer), Column("price", Numeric(8, 2))
)


def script(*changes: ops.MigrateOperation) -> ops.MigrationScript:
    table = ops.ModifyTableOps("notes", list(changes))
    return ops.MigrationScript("1", ops.UpgradeOps([table] if changes else []), ops.DowngradeOps())


def drop(name: str) -> ops.DropColumnOp:
    return ops.DropColumnOp.from_column_and_tablename(None, "notes", NOTES.columns[name])


def add(column: Column[object]) -> ops.AddColumnOp:
    return ops.AddColumnOp("notes", column)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "!?", "long " * 21])
def test_a_name_that_says_nothing_is_refused(name: str) -> None:
    assert "make migrate-create name=" in name_fault(name)
    assert name_fault('drop "50%" of größe') == ""


def test_nothing_is_written_where_nothing_changed() -> None:
    assert "nothing was written" in process_changes(script(), "")
    assert process_changes(script(drop("title")), "") == ""


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        (ops.DropColumnOp.from_column_and_tablename(None, "notes", NOTES.columns["title"]), "    notes.title"),
        (ops.DropTableOp.from_table(NOTES), "    the table notes"),
        (
            ops.AlterColumnOp("notes", "price", existing_type=Numeric(8, 2), modify_type=Integer()),
            "    notes.price, where values do not fit Integer()",
        ),
    ],
    ids=["column", "table", "type"],
)
def test_what_would_be_lost_is_named_unless_it_may_go(change: ops.MigrateOperation, lost: str) -> None:
    assert lost in loss_of(script(change), lose=False).splitlines()
    assert loss_of(script(change), lose=True) == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [(Integer(), Numeric(8, 2)), (Numeric(8, 2), String(20)), (String(20), String(10)), (Integer(), None)],
)
def test_a_type_that_holds_the_old_values_loses_nothing(old: object, new: object) -> None:
    change = ops.AlterColumnOp("notes", "price", existing_type=old, modify_type=new)

    assert loss_of(script(change), lose=False) == ""


def test_a_column_of_the_same_kind_may_be_the_old_one() -> None:
    changes = [add(Column("headline", String(20))), add(Column("done", Boolean)), drop("title")]

    lines = loss_of(script(*changes), lose=False).splitlines()
    assert [line for line in lines if "rename=" in line] == [
        "If a column only has a new name, add rename=notes.title:headline"
    ]


def test_a_renamed_column_is_neither_dropped_nor_added() -> None:
    index = ops.CreateIndexOp.from_index(Index("ix_headline", NOTES.columns["title"]))
    changes = [add(Column("headline", String(20))), index, ops.DropIndexOp("ix_title", "notes"), drop("title")]
    written = script(*changes)

    assert process_changes(written, "notes.title:headline") == ""
    assert loss_of(written, lose=False) == ""
    assert [type(change).__name__ for change in flat(written.upgrade_ops)] == [
        "DropIndexOp",
        "RenameColumnOp",
        "CreateIndexOp",
    ]
    renamed_back = list(flat(written.downgrade_ops))[1]
    assert isinstance(renamed_back, ops.AlterColumnOp)
    assert (renamed_back.column_name, renamed_back.modify_name) == ("headline", "title")


def flat(changes: ops.OpContainer | None) -> Iterator[ops.MigrateOperation]:
    assert changes is not None
    for table in changes.ops:
        assert isinstance(table, ops.ModifyTableOps)
        yield from table.ops


def test_what_was_not_renamed_is_said() -> None:
    assert "rename=table.old:new" in process_changes(script(drop("title")), "notes.title:nothing")


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (CommandError("Can't locate revision identified by 'abc'"), "at the migration abc"),
        (CommandError("Ambiguous walk"), "make migrate-down to="),
        (CommandError("something else"), "Alembic says: something else"),
        (DBAPIError("SELECT 1", None, Exception("gone")), "The database says: "),
    ],
)
def test_what_failed_is_said_and_then_what_to_do(error: Exception, ours: str) -> None:
    with pytest.raises(SystemExit) as stopped, explained():
        raise error

    assert ours in str(stopped.value)
    assert str(error) in str(stopped.value)
