"""Alerts on standard output, a line each; a digest has several."""

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
        """As Sink has it."""
        stream = self._stream or sys.stdout
        try:
            for line in message.text.splitlines():
                stream.write(f"{plain(line)}\n")
            stream.flush()
        except OSError as error:
            raise SinkUnavailable(f"standard output: {error.strerror or error}") from error

    async def close(self) -> None:
        """Nothing is held."""
