"""Following a subscription in a test: what it told so far, and waiting for what it is to tell."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from brokertape.subscriber import Event, Subscription
from support.waiting import until


class Listener:
    """Takes every event of a subscription; `pause` and `go` make it a slow handler."""

    def __init__(self, tape: Subscription) -> None:
        self.tape = tape
        self.events: list[Event] = []
        self.go = asyncio.Event()
        self.go.set()

    async def listen(self) -> None:
        """Take events until cancelled."""
        async for event in self.tape:
            self.events.append(event)
            await self.go.wait()

    @property
    def kinds(self) -> list[str]:
        """The kinds of what was told, in order."""
        return [event.kind for event in self.events]

    def count(self, *kinds: str) -> int:
        """How many events of these kinds were told."""
        return sum(kind in kinds for kind in self.kinds)

    async def told(self, *kinds: str, timeout_s: float = 15.0) -> None:
        """Wait until exactly these kinds were told, in this order."""
        await until(lambda: len(self.kinds) >= len(kinds), timeout_s)
        assert self.kinds == list(kinds)

    async def reached(self, code: str, version: tuple[int, int], timeout_s: float = 15.0) -> None:
        """Wait until the book of `code` is at `version` (epoch, seq)."""
        await until(lambda: (book := self.tape.book(code)) is not None and book.version == version, timeout_s)


@asynccontextmanager
async def listening(subscription: Subscription) -> AsyncIterator[Listener]:
    """Enter `subscription` and take its events until the end of the block."""
    async with subscription as tape:
        listener = Listener(tape)
        task = asyncio.create_task(listener.listen())
        try:
            yield listener
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
