"""Lists as files, streamed from the database: a bounded number at a time, each for a bounded time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from time import monotonic
from typing import Any

from fastapi.responses import StreamingResponse
from loguru import logger
from sqlalchemy.exc import DBAPIError
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.types import Message, Receive, Scope, Send

from app.api.errors import errors
from app.api.formats import FORMATS
from app.core.config import Settings
from app.core.database_errors import OUTAGES, client_error, reason
from app.core.exceptions import ServiceUnavailableError
from app.domain.schemas.base import ResponseModel
from app.domain.schemas.common import ExportQuery

# The errors that may end an export early and are not a fault of the application.
INTERRUPTIONS: tuple[type[Exception], ...] = (DBAPIError, *OUTAGES)

# How long the client is told to wait, in seconds, while other exports run.
RETRY_AFTER = 10


class RecordIdConvertor(StringConvertor):
    """Matches any ID but `export`, so that a method that `/export` lacks gets a 405 and does not reach `/{id}`."""

    regex = "(?!export(?:/|$))[^/]+"


register_url_convertor("record_id", RecordIdConvertor())


def exported(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Returns the value of `responses=` for an export: its files and its errors."""
    files: dict[str, dict[str, Any]] = {kind.media_type: {} for kind in FORMATS.values()}
    return {200: {"description": "The file", "content": files}, **errors(*statuses)}


class Exports:
    """Limits the exports that run in this process. There is one instance per process."""

    def __init__(self, settings: Settings) -> None:
        self.timeout = settings.EXPORT_TIMEOUT
        self._free = settings.EXPORT_CONCURRENCY

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Holds a slot for an export during the block. Raises ServiceUnavailableError if no slot is free."""
        if not self._free:
            raise ServiceUnavailableError("Too many exports are running.", retry_after=RETRY_AFTER)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    def file(
        self, name: str, query: ExportQuery, batches: AsyncGenerator[Sequence[Any]], schema: type[ResponseModel]
    ) -> StreamingResponse:
        """Returns the response that writes these records by their schema, in the format that the query asks for."""
        headers = {
            "Content-Disposition": f'attachment; filename="{name}.{query.format}"',
            # A proxy that buffered the file would hide that its client has disconnected.
            "X-Accel-Buffering": "no",
        }
        chunks = _chunks(query.format, batches, schema)
        return ExportResponse(chunks, self, headers=headers, media_type=FORMATS[query.format].media_type)


class ExportResponse(StreamingResponse):
    """A file whose first records are read before it begins, so that a failure until then gets the usual error response.

    A later failure cuts the connection, so that nobody takes a part of the file for the whole.
    """

    def __init__(self, chunks: AsyncGenerator[bytes], exports: Exports, **options: Any) -> None:
        super().__init__(chunks, **options)
        self._chunks = chunks
        self._exports = exports
        self._has_begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the file. Raises ServiceUnavailableError without a free slot, and any error before the file begins."""
        with self._exports.slot():
            self._end = monotonic() + self._exports.timeout
            try:
                async with aclosing(self._chunks):
                    first = await anext(self._chunks)
                    self._refuse_delay()
                    self._has_begun = True
                    await self._stream(first, receive, send)
            except INTERRUPTIONS as error:
                if not (self._has_begun and _is_outage(error)):
                    raise
                # The server cuts the connection of a response that was not completed.
                logger.bind(error=type(error).__name__, reason=reason(error)).error("an export was cut")

    async def _stream(self, first: bytes, receive: Receive, send: Send) -> None:
        """Stops between two batches once the client has disconnected or the time is over.

        Only a wait for the client is cancelled: a read ends in time by itself, and cancelling it would cost its
        connection.
        """

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(self._end - monotonic()):
                await send(message)

        gone = asyncio.create_task(self.listen_for_disconnect(receive))
        try:
            self.body_iterator = self._until(gone, first)
            await self.stream_response(send_in_time)
        finally:
            gone.cancel()

    async def _until(self, gone: asyncio.Task[None], first: bytes) -> AsyncIterator[bytes]:
        yield first
        async for chunk in self._chunks:
            if gone.done():
                return
            self._refuse_delay()
            yield chunk

    def _refuse_delay(self) -> None:
        if monotonic() >= self._end:
            raise TimeoutError("The export takes longer than EXPORT_TIMEOUT.")


async def _chunks(
    name: str, batches: AsyncGenerator[Sequence[Any]], schema: type[ResponseModel]
) -> AsyncGenerator[bytes]:
    """Yields the bytes of a file: one chunk for each batch, and at least one."""
    kind = FORMATS[name]
    head = kind.head(schema)
    async with aclosing(batches):
        async for batch in batches:
            yield (head + kind.rows([schema.model_validate(record) for record in batch])).encode()
            head = ""
    yield head.encode()


def _is_outage(error: Exception) -> bool:
    return not isinstance(error, DBAPIError) or isinstance(client_error(error), ServiceUnavailableError)
