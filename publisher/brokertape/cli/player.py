"""Playing a stored stretch onto a tape of its own: what comes when."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from brokertape.publisher.clock import Clock
from brokertape.tape.events import TapeEvent
from brokertape.tape.rows import Row
from brokertape.workers.storage.moments import Happened, Moment


class Timeline:
    """The time that is replayed against a steady clock: pure.

    What lies before `begin` (ms since 1970) is due at once, and so is everything if `speed` is infinite.

    Args:
        begin: What is played at the start.
        speed: How much faster than it happened.
        started_s: When that start is, on the steady clock.
    """

    def __init__(self, begin: int, speed: float, started_s: float) -> None:
        self._begin = begin
        self._speed = speed
        self._started_s = started_s

    def wait_s(self, at: int, now_s: float) -> float:
        """How long it is until `at` (ms since 1970) is due; 0 if it is."""
        due_s = self._started_s + max(0, at - self._begin) / 1000 / self._speed
        return max(0.0, due_s - now_s)


@dataclass(slots=True)
class Progress:
    """How far a replay has come: `at` in ms since 1970, None before its first event; `events` written so far."""

    at: int | None = None
    events: int = 0


class Tape(Protocol):
    """Where a replay is written to."""

    async def append(self, event: TapeEvent, payload: bytes, rows: tuple[Row, ...], at: int) -> None:
        """An event and the list it led to."""

    async def see(self, code: str, at: int) -> None:
        """A look that found the list as it was."""

    async def rest(self) -> None:
        """Nothing comes for a while."""


async def play(
    moments: AsyncIterator[Moment], tape: Tape, begin: int, speed: float, clock: Clock, progress: Progress
) -> None:
    """Put `moments` on `tape`, each when it is due. What cannot be written in time is caught up with.

    Args:
        moments: What happened, in order.
        tape: Where to.
        begin: What came before this (ms since 1970) is written at once; the clock starts when that is done.
        speed: How much faster than it happened.
        clock: The steady clock.
        progress: Told how far it is.
    """
    timeline: Timeline | None = None
    async for moment in moments:
        if moment.at >= begin:
            timeline = timeline or Timeline(begin, speed, clock.monotonic_s())
            wait_s = timeline.wait_s(moment.at, clock.monotonic_s())
            if wait_s > 0:
                await tape.rest()
                await clock.sleep(wait_s)
        await _put(tape, moment)
        progress.at = moment.at
        progress.events += isinstance(moment, Happened)


async def _put(tape: Tape, moment: Moment) -> None:
    if isinstance(moment, Happened):
        await tape.append(moment.stored.event, moment.stored.payload, moment.rows, moment.at)
    else:
        await tape.see(moment.code, moment.at)
