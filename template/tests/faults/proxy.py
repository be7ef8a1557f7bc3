"""Connects the server to its database through a proxy that a test may cut and silence."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

# The client asks for a commit with this word, and the database confirms it with the same word.
COMMIT = b"COMMIT"
Moment = Literal["asked", "confirmed"]


class Proxy:
    """Forwards all data, until a test cuts or silences it."""

    def __init__(self, socket: str) -> None:
        self.cut_at_commit: Moment | None = None
        self._socket = socket
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()

    def silence(self) -> None:
        """Forwards nothing more, and closes no connection."""
        self._open.clear()

    def restore(self) -> None:
        self._open.set()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        database = await asyncio.open_unix_connection(self._socket)
        self._writers |= {writer, database[1]}
        async with asyncio.TaskGroup() as group:
            group.create_task(self._forward(reader, database[1], "asked"))
            group.create_task(self._forward(database[0], writer, "confirmed"))

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, moment: Moment) -> None:
        try:
            while data := await reader.read(65536):
                await self._open.wait()
                if COMMIT in data and self.cut_at_commit == moment:
                    self.cut()
                    return
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def running_proxy(socket: str, port: int) -> AsyncIterator[Proxy]:
    """Yields a proxy in front of the database that listens on this socket."""
    proxy = Proxy(socket)
    server = await asyncio.start_server(proxy.connect, "127.0.0.1", port)
    yield proxy
    proxy.cut()
    server.close()
