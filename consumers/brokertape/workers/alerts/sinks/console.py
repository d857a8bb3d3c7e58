"""Alerts on standard output, a line each; a digest has several."""

import asyncio
import os
import select
import time

from brokertape.tape.wording import plain
from brokertape.workers.alerts.sinks.message import Message
from brokertape.workers.errors import SinkUnavailable

STANDARD_OUTPUT = 1
PATIENCE_S = 30.0
_LOOK_EVERY_S = 0.05
_AT_ONCE = 512  # so much does a pipe or terminal that is ready for writing take without blocking, as POSIX has it


class ConsoleSink:
    """Writes to a file descriptor.

    Whoever reads it may stop for hours, with a pager or Ctrl-S. A thread that waits for that cannot be ended, and a
    buffer would hold what was given up; so it is written only when it is ready. A message that was given up in the
    middle is gone on with; if another comes instead, only its line that was begun is finished.
    """

    def __init__(self, descriptor: int = STANDARD_OUTPUT) -> None:
        self._descriptor = descriptor
        self._begun = b""  # what was given up, if anything was
        self._left = b""  # what is not written of it
        self._is_cut = False  # whether what is written ends within a line

    async def send(self, message: Message, /) -> None:
        """As Sink has it."""
        lines = "".join(f"{plain(line)}\n" for line in message.text.splitlines()).encode(errors="replace")
        if lines != self._begun:
            rest = self._left[: self._left.find(b"\n") + 1] if self._is_cut else b""
            self._begun, self._left = lines, rest + lines
        try:
            await self._write()
        except OSError as error:
            raise SinkUnavailable(f"standard output: {error.strerror or error}") from error
        self._begun = b""

    async def close(self) -> None:
        """Nothing is held."""

    async def _write(self) -> None:
        began_s = time.monotonic()
        while self._left:
            if select.select([], [self._descriptor], [], 0)[1]:
                written = os.write(self._descriptor, self._left[:_AT_ONCE])
                self._is_cut = not self._left[:written].endswith(b"\n")
                self._left = self._left[written:]
            elif time.monotonic() < began_s + PATIENCE_S:
                await asyncio.sleep(_LOOK_EVERY_S)
            else:
                raise SinkUnavailable("standard output: nobody reads it")
