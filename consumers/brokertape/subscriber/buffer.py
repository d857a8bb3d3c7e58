"""Between reading and handling: bounded, with a choice of what a slow handler is given."""

import asyncio
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal, Protocol

from brokertape.subscriber.events import Event, Freshness, State, Status, Update

WhenSlow = Literal["block", "conflate"]


@dataclass(frozen=True, slots=True)
class End:
    """Nothing comes any more, because of `error` if there was one."""

    error: Exception | None


class Buffer(Protocol):
    """Events on their way to the handler."""

    async def put(self, event: Event) -> None:
        """Add `event`, waiting for room if there is none."""

    async def get(self) -> Event | End:
        """The next event; the end, for ever, once it is reached. Cancelled while it waits, it has taken nothing."""

    def end(self, end: End) -> None:
        """Nothing comes after what is there."""


class BlockingBuffer:
    """Every event, in order. When `limit` of them wait, reading waits too: the stream keeps the rest."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[Event] = deque()
        self._end: End | None = None
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    async def put(self, event: Event) -> None:
        """Add `event`, waiting for room if there is none."""
        while len(self._waiting) >= self._limit:
            self._room.clear()
            await self._room.wait()
        self._waiting.append(event)
        self._news.set()

    async def get(self) -> Event | End:
        """The next event, or the end."""
        while not self._waiting:
            if self._end is not None:
                return self._end
            self._news.clear()
            await self._news.wait()
        self._room.set()
        return self._waiting.popleft()

    def end(self, end: End) -> None:
        """Nothing comes after what is there. The first end counts."""
        self._end = self._end or end
        self._news.set()


class ConflatingBuffer:
    """The latest of each thing: of a code whose update still waits, the newest book replaces it.

    Nothing waits for room. It is bounded by the number of codes and of names that have a status.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, Event] = {}  # in the order they came to wait
        self._end: End | None = None
        self._news = asyncio.Event()

    async def put(self, event: Event) -> None:
        """Add `event`, or merge it into the one that waits for the same thing, in its place."""
        key = _key(event)
        waiting = self._waiting.get(key)
        self._waiting[key] = event if waiting is None else _merge(waiting, event)
        self._news.set()

    async def get(self) -> Event | End:
        """The next event, or the end: who waits longest comes first, with the latest news."""
        while not self._waiting:
            if self._end is not None:
                return self._end
            self._news.clear()
            await self._news.wait()
        return self._waiting.pop(next(iter(self._waiting)))

    def end(self, end: End) -> None:
        """Nothing comes after what is there. The first end counts."""
        self._end = self._end or end
        self._news.set()


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
    skipped = 1 + (waiting.skipped if isinstance(waiting, State) else 0)
    if isinstance(event, State) and event.kind == "resync":
        return State("resync", event.code, event.book, event.reason, skipped)
    if isinstance(waiting, State) and waiting.kind == "resync":  # that events were missed stays said
        return State("resync", event.code, event.book, waiting.reason, skipped)
    return State("conflated", event.code, event.book, None, skipped)
