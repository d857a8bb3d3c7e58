"""Alerts in a file: one CloudEvent in JSON a line, durable when it is confirmed."""

import asyncio
import os
from pathlib import Path

from brokertape.tape.codec import dump
from brokertape.workers.alerts.sinks.message import Message
from brokertape.workers.errors import SinkUnavailable


class LogFileSink:
    """Appends to the file `path`, made with mode 0600. It is opened for every message, so that it may be rotated."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, message: Message, /) -> None:
        """As Sink has it."""
        try:
            await asyncio.to_thread(self._append, dump(message.told) + b"\n")
        except OSError as error:
            raise SinkUnavailable(f"{self._path}: {error.strerror or error}") from error

    async def close(self) -> None:
        """Nothing is held."""

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            end = os.fstat(descriptor).st_size
            if os.write(descriptor, line) < len(line):  # the disk is full: nobody is to find half a line
                os.ftruncate(descriptor, end)
                raise OSError(28, os.strerror(28))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
