from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, bindparam, delete, event, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from app.core.database import TRY_LOCK
from app.core.exceptions import ConflictError
from app.domain.models.base import utc_now
from app.domain.models.stored_response import StoredResponse

# How many expired responses each new one removes at most.
BATCH = 10

# Seconds.
RETRY_AFTER = 1

type Found = Callable[[Row[str, int, dict[str, str], bytes]], None]


class StoredResponseRepository:
    """The responses to requests that carry an `Idempotency-Key`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def claim(self, response_id: str, fingerprint: str, expires_at: datetime, found: Found) -> None:
        """Claims this ID when the transaction begins, or passes the response stored under it to `found`, which raises.

        The transaction begins with its first statement, so that nothing is locked while a password is hashed. That
        statement raises the error of `found`, or ConflictError while another request has the ID: no request waits. If
        the transaction has begun already, all of this happens in this call.
        """
        values = {"id": response_id, "fingerprint": fingerprint, "expires_at": expires_at}
        lock = int.from_bytes(bytes.fromhex(response_id[:16]), signed=True)

        def claim(connection: Connection) -> None:
            _claim(connection, values | {"lock": lock, "now": utc_now()}, found)

        def begin(_: Session, transaction: SessionTransaction, connection: Connection) -> None:
            if not transaction.nested:
                claim(connection)

        event.listen(self.session.sync_session, "after_begin", begin)
        if self.session.in_transaction():
            await (await self.session.connection()).run_sync(claim)

    async def keep(self, response_id: str, status: int, headers: dict[str, str], body: bytes) -> None:
        """Stores the response under an ID that this transaction has claimed. Raises RuntimeError if it has not."""
        values = {"kept_id": response_id, "status": status, "headers": headers, "body": body}
        kept = await (await self.session.connection()).execute(_KEEP, values)
        if kept.rowcount != 1:
            raise RuntimeError("The route went on although its request was refused when the transaction began.")


def still_running() -> ConflictError:
    """Returns the error for a key whose first request still runs."""
    return ConflictError("The first request with this key is still running.", headers={"Retry-After": str(RETRY_AFTER)})


def _claim(connection: Connection, values: dict[str, Any], found: Found) -> None:
    others_expired = connection.scalar(_CLAIM, values)
    if others_expired is None:  # the ID is taken
        stored = connection.execute(_STORED, values).one_or_none()
        if stored is None:
            raise still_running()
        found(stored)
    if others_expired:
        connection.execute(_ERASE, values)


# Only the request that gets the lock writes, so that none waits for the row of another. A row that was committed in the
# meantime conflicts.
# A row with status 0 belongs to a request that ended without a response.
_CLAIM = text(f"""
    INSERT INTO stored_responses (id, fingerprint, status, headers, body, expires_at)
    SELECT :id, :fingerprint, 0, 'null', '', :expires_at WHERE {TRY_LOCK}
    ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint, status = 0, expires_at = excluded.expires_at
    WHERE stored_responses.expires_at <= :now OR stored_responses.status = 0
    RETURNING EXISTS (SELECT 1 FROM stored_responses AS other WHERE other.expires_at <= :now)
""").bindparams(  # noqa: S608 (the lock is a constant)
    bindparam("lock", type_=BigInteger),
    bindparam("id", type_=StoredResponse.id.type),
    bindparam("fingerprint", type_=StoredResponse.fingerprint.type),
    bindparam("expires_at", type_=StoredResponse.expires_at.type),
    bindparam("now", type_=StoredResponse.expires_at.type),
)
_STORED = select(StoredResponse.fingerprint, StoredResponse.status, StoredResponse.headers, StoredResponse.body).where(
    StoredResponse.id == bindparam("id"), StoredResponse.status != 0, StoredResponse.expires_at > bindparam("now")
)
# This bypasses the unit of work, whose updates of many rows cost several times as much.
_table: Any = StoredResponse.__table__
_KEEP = (
    update(_table)
    .where(_table.c.id == bindparam("kept_id"), _table.c.status == 0)
    .values({name: bindparam(name) for name in ("status", "headers", "body")})
)
_EXPIRED = select(StoredResponse.id).where(StoredResponse.expires_at <= bindparam("now"))
_ERASE = delete(StoredResponse).where(
    StoredResponse.id.in_(_EXPIRED.order_by(StoredResponse.expires_at).limit(BATCH).with_for_update(skip_locked=True))
)
