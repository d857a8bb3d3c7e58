"""A recorded tape, and playing it through `subscribe` at any speed."""

import asyncio
import gzip
import math
import time
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path

from brokertape.subscriber.source import Entry
from brokertape.tape.codec import load
from brokertape.tape.errors import DecodeError, EndOfTape
from brokertape.tape.events import ChangeEvent, Event, TapeEvent
from brokertape.testing.memory_tape import MemoryTape

SHORTEST_SLEEP_S = 0.005


class Recording:
    """Events in the order they were published, tape and feed together.

    Its file has one payload a line, as `brokertape tail --json --feed` prints them; with `.gz` it is compressed. Each
    code begins with its first complete list; what was recorded of it before, and what was recorded twice, is left out.

    Raises:
        DecodeError: An event of a code is missing.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self.events = tuple(_whole(sorted(events, key=published_at)))

    @classmethod
    def load(cls, path: Path) -> "Recording":
        """The recording in a file.

        Raises:
            DecodeError: A line is no event of the tape; it says which.
            OSError: The file cannot be read.
        """
        return cls.loads(path.read_bytes())

    @classmethod
    def loads(cls, content: bytes) -> "Recording":
        """The recording in the bytes of a file; raises DecodeError."""
        try:
            text = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
        except (EOFError, OSError, zlib.error) as error:
            raise DecodeError(f"the recording is damaged: {error}") from error
        return cls(_event(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip())

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes that something happens to."""
        return tuple(sorted({event.data.code for event in self.events if isinstance(event, TapeEvent)}))

    def tape(self, *, speed: float = math.inf) -> "RecordedTape":
        """A source for `subscribe` that plays it from its beginning, at `speed` times the pace of the recording.

        By default as fast as the subscriber takes it. Iterating over the subscription ends with the recording.
        """
        return RecordedTape(self, speed)


class RecordedTape(MemoryTape):
    """Plays a recording for whoever reads it: time passes while the handler waits for what comes next."""

    is_live = False

    def __init__(self, recording: Recording, speed: float) -> None:
        if not speed > 0:
            raise ValueError(f"speed = {speed}: use a number above 0, or math.inf")
        super().__init__(now_ms=published_at(recording.events[0]) if recording.events else 0)
        self._left = deque(recording.events)
        self._speed = speed
        self._owed_s = 0.0  # time that was let pass on the tape without sleeping for it

    async def read(self, after: Mapping[str, str], block_ms: int) -> Sequence[Entry]:
        """What comes behind the ids; when there is nothing, time passes, and with it what happened next."""
        self._check()
        entries = self._entries_after(after)
        if not entries and not self._left:
            raise EndOfTape("the recording has ended")
        if not entries:
            await self._play(block_ms)
        return entries or self._entries_after(after)

    async def _play(self, at_most_ms: int) -> None:
        due_ms = published_at(self._left[0]) - self.now_ms()
        pass_ms = max(0, min(due_ms, at_most_ms))
        await self._sleep(pass_ms / 1000 / self._speed)
        self.advance_to(self.now_ms() + pass_ms)
        while self._left and published_at(self._left[0]) <= self.now_ms():
            self.push(self._left.popleft())

    async def _sleep(self, delay_s: float) -> None:
        """What is too short for a timer is added up: each sleep costs a millisecond, however short it is meant."""
        self._owed_s += delay_s
        if self._owed_s < SHORTEST_SLEEP_S:
            await asyncio.sleep(0)
            return
        began_s = time.monotonic()
        await asyncio.sleep(self._owed_s)
        self._owed_s -= time.monotonic() - began_s


def published_at(event: Event) -> int:
    """When `event` was handed to Redis, ms since 1970."""
    if isinstance(event, TapeEvent):
        return event.data.published_at
    return round(datetime.fromisoformat(event.time).timestamp() * 1000)


@cache
def recorded_day() -> Recording:
    """A trading day of three codes on the simulated market, every code polled about once a minute."""
    return Recording.loads(resources.files("brokertape.testing").joinpath("day.jsonl.gz").read_bytes())


def _event(number: int, line: bytes) -> Event:
    try:
        event = load(line)
        published_at(event)
    except ValueError as error:  # a DecodeError, or a time that is none
        raise DecodeError(f"line {number}: {error}") from error
    return event


def _whole(events: Iterable[Event]) -> Iterator[Event]:
    """What can be played of `events`: per code, from a complete list on, each event once."""
    tips: dict[str, tuple[int, int]] = {}
    for event in events:
        if not isinstance(event, TapeEvent):
            yield event
            continue
        data, tip = event.data, tips.get(event.data.code)
        if (tip is None and isinstance(event, ChangeEvent)) or (tip is not None and (data.epoch, data.seq) <= tip):
            continue
        if tip is not None and (data.epoch, data.prev_seq) != tip and data.prev_seq is not None:
            raise DecodeError(f"{event.id} does not follow on from {tip[0]}/{tip[1]}: events are missing")
        tips[data.code] = (data.epoch, data.seq)
        yield event
