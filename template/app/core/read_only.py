"""Refuses statements that write where a session only reads."""

import re
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine, ExecutionContext

# The execution option that marks an engine, a connection or a statement as read-only, or removes that mark.
_MARK = "app_read_only"
READ_ONLY = {_MARK: True}
WRITABLE = {_MARK: False}

# Quoted text and comments say nothing about whether a statement writes.
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_READS = re.compile(r"[\s(]*(select|values|table|with|show|explain|pragma)\b", re.IGNORECASE)
# A common table expression that writes, a new table, and a row that is locked for a writer.
_WRITES = re.compile(
    r"\b(insert\s+into|update\s+\S+\s+set|delete\s+from|merge\s+into|into\s+\w+\s+from"
    r"|for\s+(no\s+key\s+)?update|for\s+(key\s+)?share)\b",
    re.IGNORECASE,
)


class ReadOnlySessionError(RuntimeError):
    """Reports a fault of the application: the client gets a 500, and the log says what to do."""

    def __init__(self) -> None:
        super().__init__("This session only reads: a GET that writes or locks takes TransactionDep, not SessionDep.")


def is_read_only(connection: Connection) -> bool:
    """Returns whether statements on this connection may only read."""
    return bool(connection.get_execution_options().get(_MARK))


def refuse_writes(engine: Engine) -> None:
    """Makes a write that is marked with `READ_ONLY` raise ReadOnlySessionError before it reaches the database."""
    # Events of the dialect cost next to nothing; those of the engine make each statement a tenth slower.
    event.listen(engine, "do_execute", _check)
    event.listen(engine, "do_executemany", _check)
    event.listen(engine, "do_execute_no_params", _check_without_parameters)


def _check(cursor: Any, statement: str, _: Any, context: ExecutionContext) -> None:
    _check_without_parameters(cursor, statement, context)


def _check_without_parameters(_: Any, statement: str, context: ExecutionContext) -> None:
    if context.execution_options.get(_MARK) and not _only_reads(statement):
        raise ReadOnlySessionError


@lru_cache(1024)
def _only_reads(statement: str) -> bool:
    bare = _QUOTED.sub("''", statement)
    return _READS.match(bare) is not None and _WRITES.search(bare) is None
