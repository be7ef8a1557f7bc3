from collections.abc import Callable

from sqlalchemy import Connection, Row, bindparam, delete, event, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from app.core.database import try_lock
from app.core.exceptions import ConflictError
from app.domain.models.base import utc_now
from app.domain.models.stored_response import StoredResponse

# How many that have expired each new one takes away.
BATCH = 10

# Seconds.
RETRY_AFTER = 1


class StoredResponseRepository:
    """The responses to requests that carry an `Idempotency-Key`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    def claim(self, response_id: str, found: Callable[[Row[str, int, dict[str, str], bytes]], None]) -> None:
        """Locks this ID as soon as the transaction begins, and until its end; `found` gets what is stored by then.

        The transaction begins with the first statement: nothing is locked while a password is hashed. What `found`
        raises comes from that statement, as does ConflictError while another request has the lock: nobody waits.
        """

        def begin(_: Session, transaction: SessionTransaction, connection: Connection) -> None:
            if transaction.nested:
                return
            if not try_lock(connection, int.from_bytes(bytes.fromhex(response_id[:16]), signed=True)):
                raise still_running()
            # Another statement, since one sees only what was committed when it began, and not while it took the lock.
            if row := connection.execute(_STORED, {"id": response_id, "now": utc_now()}).one_or_none():
                found(row)

        event.listen(self.session.sync_session, "after_begin", begin)

    async def add(self, response: StoredResponse) -> None:
        """Takes the place of one that has expired, and erases a few more of those."""
        await self.session.execute(_ERASED, {"own_id": response.id, "now": utc_now()})
        self.session.add(response)
        await self.session.flush()


def still_running() -> ConflictError:
    return ConflictError("The first request with this key is still running.", headers={"Retry-After": str(RETRY_AFTER)})


_STORED = select(StoredResponse.fingerprint, StoredResponse.status, StoredResponse.headers, StoredResponse.body).where(
    StoredResponse.id == bindparam("id"), StoredResponse.expires_at > bindparam("now")
)
_EXPIRED = select(StoredResponse.id).where(StoredResponse.expires_at <= bindparam("now"))
_BATCH = _EXPIRED.order_by(StoredResponse.expires_at).limit(BATCH).with_for_update(skip_locked=True)
_ERASED = (
    delete(StoredResponse)
    .where(or_(StoredResponse.id == bindparam("own_id"), StoredResponse.id.in_(_BATCH)))
    .execution_options(synchronize_session=False)
)
