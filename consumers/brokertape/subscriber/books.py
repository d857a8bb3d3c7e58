"""All codes of a subscription: which entry concerns which, and what became of it. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from brokertape.subscriber.events import Event, State, Status, Update
from brokertape.subscriber.follower import Follower, Hole
from brokertape.subscriber.source import Entry
from brokertape.subscriber.view import NowMs
from brokertape.tape.codec import decode_entry
from brokertape.tape.errors import DecodeError, UnknownEventType
from brokertape.tape.events import StatusEvent, TapeEvent, WatermarkEvent

MAX_STATUSES = 10_000


@dataclass(slots=True)
class Counts:
    """What a subscription read since it began, and what it had to say or skip."""

    entries: int = 0
    """Entries that concerned a code of ours, or came on the feed."""
    updates: int = 0
    """Events of the tape applied and told."""
    resyncs: int = 0
    """Times it was said that events were missed."""
    unknown: int = 0
    """Entries of a type this version does not know."""
    unreadable: int = 0
    """Entries that are not what the contract describes."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The book of `code` must be read again."""

    code: str
    reason: str


class Books:
    """A follower per code."""

    def __init__(self, codes: Collection[str], max_age: float | None, now_ms: NowMs) -> None:
        self.counts = Counts()
        self.followers: Mapping[str, Follower] = {code: Follower(code, max_age, now_ms) for code in codes}
        self.suspects: dict[str, str] = {}
        """Code → why a watermark says that we are elsewhere; whoever reads its tape looks into it."""
        self._statuses: dict[tuple[str, str], str] = {}  # scope and name → id of the status told last
        self._topics = {code.encode(): follower for code, follower in self.followers.items()}

    def take(self, entry: Entry) -> list[Event] | Lost:
        """An entry of a tape. Entries of other codes are told apart by their topic, which costs no parsing."""
        follower = self._topics.get(entry.fields.get(b"topic", b"").partition(b".")[2])
        if follower is None:
            return []
        self.counts.entries += 1
        try:
            event = decode_entry(entry.fields)
            taken = _take(follower, event, entry) if isinstance(event, TapeEvent) else []
        except UnknownEventType:
            self.counts.unknown += 1
            return []
        except DecodeError as error:
            self.counts.unreadable += 1
            return Lost(follower.code, f"entry {entry.entry_id} cannot be read: {error}")
        return Lost(follower.code, taken.reason) if isinstance(taken, Hole) else taken

    def take_feed(self, entry: Entry, now: int) -> list[Event]:
        """An entry of the feed: watermarks move ages, statuses are told."""
        self.counts.entries += 1
        try:
            event = decode_entry(entry.fields)
        except UnknownEventType:
            self.counts.unknown += 1
            return []
        except DecodeError:
            self.counts.unreadable += 1
            return []
        if isinstance(event, WatermarkEvent):
            self._see(event, now)
            return self.check_ages(now)
        return self.tell_status([event]) if isinstance(event, StatusEvent) else []

    def _see(self, event: WatermarkEvent, now: int) -> None:
        for code, mark in event.data.codes.items():
            follower = self.followers.get(code)
            hole = None if follower is None else follower.see(mark, now)
            if hole is not None:
                self.suspects[code] = hole.reason

    def tell_status(self, statuses: Iterable[StatusEvent]) -> list[Event]:
        """Statuses as they are told, each once; those of other people's codes are not."""
        if len(self._statuses) > MAX_STATUSES:
            self._statuses.clear()  # names come from outside; a repeat does less harm than a memory without end
        return [
            Status("status", event.data.scope, event.data.name, event.data.state, event.data.reason)
            for event in statuses
            if event.data.scope != "code" or event.data.name in self.followers
            if self._is_news(event)
        ]

    def _is_news(self, event: StatusEvent) -> bool:
        key = (event.data.scope, event.data.name)
        is_news = self._statuses.get(key) != event.id
        self._statuses[key] = event.id
        return is_news

    def count(self, event: Event) -> None:
        """`event` is told."""
        if isinstance(event, Update):
            self.counts.updates += 1
        elif isinstance(event, State) and event.kind == "resync":
            self.counts.resyncs += 1

    def check_ages(self, now: int) -> list[Event]:
        """Codes that became stale, or fresh again."""
        return [event for follower in self.followers.values() for event in follower.check_age(now)]

    def next_stale_at(self) -> int | None:
        """When (ms) the next code becomes stale, if none is seen before."""
        return min((at for follower in self.followers.values() if (at := follower.stale_at) is not None), default=None)


def _take(follower: Follower, event: TapeEvent, entry: Entry) -> list[Event] | Hole:
    """A topic that promises another code than the event has is no business of ours."""
    return follower.take(event, entry.entry_id) if event.data.code == follower.code else []
