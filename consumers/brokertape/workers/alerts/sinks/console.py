"""Alerts on standard output, a line each; a digest has several."""

import asyncio
import sys
from typing import TextIO

from brokertape.tape.wording import plain
from brokertape.workers.alerts.sinks.message import Message
from brokertape.workers.errors import SinkUnavailable


class ConsoleSink:
    """Writes to `stream`, by default the standard output of the moment."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    async def send(self, message: Message, /) -> None:
        """As Sink has it. In a thread: whoever reads it may have stopped reading."""
        lines = "".join(f"{plain(line)}\n" for line in message.text.splitlines())
        try:
            await asyncio.to_thread(self._write, lines)
        except OSError as error:
            raise SinkUnavailable(f"standard output: {error.strerror or error}") from error

    def _write(self, lines: str) -> None:
        stream = self._stream or sys.stdout
        stream.write(lines)
        stream.flush()

    async def close(self) -> None:
        """Nothing is held."""
