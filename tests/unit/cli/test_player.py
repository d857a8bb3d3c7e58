"""What of a replay is due when, in virtual time."""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from brokertape.cli.faults import SettingsError
from brokertape.cli.player import Progress, Timeline, play
from brokertape.cli.replay import speed_of, stretch_of
from brokertape.publisher.clock import Clock
from brokertape.simulator.virtual_time import VirtualClock, run_virtual
from brokertape.tape.codec import dump
from brokertape.tape.errors import InvalidCode, InvalidPosition
from brokertape.tape.events import TapeEvent
from brokertape.tape.rows import Row
from brokertape.workers.storage.moments import Happened, Moment, Seen, StoredEvent
from support.tape_factory import FIRST_EPOCH, TapeFactory


@dataclass
class Heard:
    """A tape that remembers what was written when, in seconds of the run."""

    clock: Clock
    slow_s: float = 0.0
    written: list[tuple[float, str]] = field(default_factory=list)

    async def append(self, event: TapeEvent, _payload: bytes, _rows: tuple[Row, ...], _at: int) -> None:
        """An event."""
        await asyncio.sleep(self.slow_s)
        self.written.append((self.clock.monotonic_s(), str(event.data.seq)))

    async def see(self, _code: str, _at: int) -> None:
        """A look."""
        self.written.append((self.clock.monotonic_s(), "seen"))

    async def rest(self) -> None:
        """A pause."""
        self.written.append((self.clock.monotonic_s(), "rest"))


def replayed(speed: float, *, begin: int, slow_s: float = 0.0) -> list[tuple[float, str]]:
    """What is written when of a baseline at 1 s, changes at 2 and 4 s, a look at 3 s after the epoch."""
    factory = TapeFactory()
    moments: list[Moment] = [
        Happened(FIRST_EPOCH + 1000 * at, StoredEvent(event, dump(event)), ())
        for at, event in zip((1, 2, 4), factory.day(2), strict=True)
    ]
    moments.insert(2, Seen(FIRST_EPOCH + 3000, factory.code))
    clock = VirtualClock(0)
    heard = Heard(clock, slow_s)

    async def given() -> AsyncIterator[Moment]:
        for moment in moments:
            yield moment

    progress = Progress()
    run_virtual(play(given(), heard, begin, speed, clock, progress))
    assert (progress.at, progress.events) == (FIRST_EPOCH + 4000, 3)
    return [(round(at_s, 6), what) for at_s, what in heard.written if what != "rest"]


def test_time_passes_at_the_speed_that_is_asked_for() -> None:
    """What lies before the beginning is written at once."""
    assert replayed(10, begin=FIRST_EPOCH + 2000) == [(0.0, "1"), (0.0, "2"), (0.1, "seen"), (0.2, "3")]
    assert replayed(0.5, begin=FIRST_EPOCH + 1000) == [(0.0, "1"), (2.0, "2"), (4.0, "seen"), (6.0, "3")]


def test_at_the_most_nothing_is_waited_for() -> None:
    """However far apart it happened."""
    assert replayed(math.inf, begin=FIRST_EPOCH) == [(0.0, "1"), (0.0, "2"), (0.0, "seen"), (0.0, "3")]


def test_what_could_not_be_written_in_time_is_caught_up_with() -> None:
    """A slow Redis puts nothing off for good."""
    assert replayed(1, begin=FIRST_EPOCH + 1000, slow_s=1.5) == [(1.5, "1"), (3.0, "2"), (3.0, "seen"), (4.5, "3")]


def test_the_clock_starts_when_all_that_came_before_is_written() -> None:
    """However long that takes, the beginning is played at the right speed."""
    assert replayed(1, begin=FIRST_EPOCH + 2000, slow_s=1.5) == [(1.5, "1"), (3.0, "2"), (3.0, "seen"), (5.0, "3")]


def test_a_moment_that_is_past_is_not_waited_for() -> None:
    """Before the beginning, at it, and when the clock is ahead."""
    timeline = Timeline(FIRST_EPOCH, 2, 100.0)
    assert [timeline.wait_s(FIRST_EPOCH + at, 100.0) for at in (-5000, 0, 5000)] == [0.0, 0.0, 2.5]
    assert timeline.wait_s(FIRST_EPOCH + 5000, 200.0) == 0.0


def test_a_pause_is_told_before_it_begins() -> None:
    """So that what was seen does not wait for what comes after lunch."""
    clock = VirtualClock(0)
    heard = Heard(clock)

    async def given() -> AsyncIterator[Moment]:
        yield Seen(FIRST_EPOCH, "HK.00700")
        yield Seen(FIRST_EPOCH + 3_600_000, "HK.00700")

    run_virtual(play(given(), heard, FIRST_EPOCH, 1, clock, Progress()))
    assert heard.written == [(0.0, "seen"), (0.0, "rest"), (3600.0, "seen")]


def test_a_stretch_is_a_day_of_the_market_or_two_times() -> None:
    """Without a zone, market time."""
    day = stretch_of(None, None, "2026-05-08", [])
    assert (day.begin, day.end, day.codes) == (1_778_169_600_000, 1_778_256_000_000, None)
    part = stretch_of("2026-05-08 09:30", "2026-05-08T04:00:00Z", None, ["HK.00700"])
    assert (part.begin, part.end, part.codes) == (1_778_203_800_000, 1_778_212_800_000, frozenset({"HK.00700"}))


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        ((None, None, None, []), SettingsError),
        (("2026-05-08", None, None, []), SettingsError),
        (("2026-05-08", None, "2026-05-08", []), SettingsError),
        (("2026-05-09", "2026-05-08", None, []), SettingsError),
        ((None, None, "yesterday", []), SettingsError),
        (("noon", "2026-05-08", None, []), InvalidPosition),
        ((None, None, "2026-05-08", ["00700"]), InvalidCode),
    ],
)
def test_what_names_no_stretch_is_refused(
    flags: tuple[str | None, str | None, str | None, list[str]], error: type[Exception]
) -> None:
    """Half of one, both ways at once, none at all."""
    with pytest.raises(error):
        stretch_of(*flags)


def test_a_speed_is_a_number_or_max() -> None:
    """What would never come to an end is refused."""
    assert [speed_of(text) for text in ("max", "10", "0.5")] == [math.inf, 10.0, 0.5]
    for text in ("0", "-1", "nan", "inf", "fast"):
        with pytest.raises(SettingsError):
            speed_of(text)
