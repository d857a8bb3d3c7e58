"""A day in a second: an event loop whose time jumps to the next thing that is due.

For programs that do no real I/O: the market model, the gateway in memory, a Redis in memory.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualClock:
    """The clock that goes with `run_virtual`: `start_ms` (since 1970) is when the loop's time began.

    Has the shape of `brokertape.publisher.clock.Clock`.
    """

    def __init__(self, start_ms: int) -> None:
        self._start_ms = start_ms

    def monotonic_s(self) -> float:
        """The running loop's time."""
        return asyncio.get_running_loop().time()

    def now_ms(self) -> int:
        """The wall clock, which never steps."""
        return self._start_ms + round(self.monotonic_s() * 1000)

    def now_s(self) -> float:
        """The wall clock in seconds."""
        return self.now_ms() / 1000

    async def sleep(self, delay_s: float) -> None:
        """Lets the loop's time pass."""
        await asyncio.sleep(delay_s)


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting, moves its loop's time forward by what it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("nothing is due and nothing can happen: the program waits for ever")
            self.now_s += max(0.0, timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time, which begins at 0."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jumping.now_s


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
