"""Time as the publisher sees it, so that tests and benchmarks can run a day in a second."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """A steady clock for intervals and a wall clock for stamps."""

    def monotonic_s(self) -> float:
        """Seconds on a clock that never steps."""

    def now_ms(self) -> int:
        """ms since 1970."""

    async def sleep(self, delay_s: float) -> None:
        """Let `delay_s` pass."""


class SystemClock:
    """The machine's clocks."""

    def monotonic_s(self) -> float:
        """CLOCK_MONOTONIC."""
        return time.monotonic()

    def now_ms(self) -> int:
        """The system's wall clock."""
        return time.time_ns() // 1_000_000

    async def sleep(self, delay_s: float) -> None:
        """asyncio's sleep."""
        await asyncio.sleep(delay_s)
