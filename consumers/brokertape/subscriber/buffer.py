"""Between reading and handling: bounded, with a choice of what a slow handler is given."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

from brokertape.subscriber.events import Event, Freshness, State, Status, Update

WhenSlow = Literal["block", "conflate"]


@dataclass(frozen=True, slots=True)
class End:
    """Nothing comes any more, because of `error` if there was one."""

    error: Exception | None


class Buffer(ABC):
    """Events on their way to one handler."""

    def __init__(self) -> None:
        self._end: End | None = None
        self._news = asyncio.Event()
        self._asked = asyncio.Event()

    @abstractmethod
    async def put(self, event: Event) -> None:
        """Add `event`, waiting for room if there is none."""

    @abstractmethod
    def _next(self) -> Event | None:
        """Take out the next event, if there is one."""

    async def get(self) -> Event | End:
        """The next event; the end, for ever, once it is reached. Cancelled while it waits, it has taken nothing."""
        while (event := self._next()) is None:
            if self._end is not None:
                return self._end
            self._news.clear()
            self._asked.set()
            await self._news.wait()
        return event

    async def wanted(self) -> None:
        """Return once the handler has had everything and waits for more."""
        await self._asked.wait()

    def end(self, end: End) -> None:
        """Nothing comes after what is there. The first end counts."""
        self._end = self._end or end
        self._news.set()

    def _wake(self) -> None:
        self._asked.clear()
        self._news.set()


class BlockingBuffer(Buffer):
    """Every event, in order. When `limit` of them wait, reading waits too: the stream keeps the rest."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit
        self._waiting: deque[Event] = deque()
        self._room = asyncio.Event()

    async def put(self, event: Event) -> None:
        """Add `event`, waiting for room if there is none."""
        while len(self._waiting) >= self._limit:
            self._room.clear()
            await self._room.wait()
        self._waiting.append(event)
        self._wake()

    def _next(self) -> Event | None:
        self._room.set()
        return self._waiting.popleft() if self._waiting else None


class ConflatingBuffer(Buffer):
    """The latest of each thing: of a code whose update still waits, the newest book replaces it.

    Nothing waits for room. It is bounded by the number of codes and of names that have a status. Who waits longest
    comes first, with the latest news.
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting: dict[Hashable, Event] = {}  # in the order they came to wait

    async def put(self, event: Event) -> None:
        """Add `event`, or merge it into the one that waits for the same thing, in its place."""
        key = _key(event)
        waiting = self._waiting.get(key)
        self._waiting[key] = event if waiting is None else _merge(waiting, event)
        self._wake()

    def _next(self) -> Event | None:
        return self._waiting.pop(next(iter(self._waiting))) if self._waiting else None


def buffer_for(when_slow: WhenSlow, limit: int) -> Buffer:
    """The buffer of a policy."""
    return BlockingBuffer(limit) if when_slow == "block" else ConflatingBuffer()


def _key(event: Event) -> Hashable:
    match event:
        case Update() | State():
            return event.code
        case Freshness():
            return "freshness", event.code
        case Status():
            return "status", event.scope, event.name
        case _:
            return "connection"


def _merge(waiting: Event, event: Event) -> Event:
    if not isinstance(waiting, Update | State) or not isinstance(event, Update | State):
        return event
    skipped = _updates_in(waiting) + _updates_in(event)
    if isinstance(event, State) and event.kind == "resync":
        return State("resync", event.code, event.book, event.reason, skipped)
    if isinstance(waiting, State) and waiting.kind == "resync":  # that events were missed stays said
        return State("resync", event.code, event.book, waiting.reason, skipped)
    return State("conflated", event.code, event.book, None, skipped)


def _updates_in(event: Update | State) -> int:
    return 1 if isinstance(event, Update) else event.skipped
