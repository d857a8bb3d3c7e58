"""What a subscriber is told, one class per thing that can happen. `kind` tells them apart, for people and checkers."""

from dataclasses import dataclass
from typing import Literal

from brokertape.subscriber.view import BookView
from brokertape.tape.changes import Change
from brokertape.tape.events import (
    Broken,
    ChangeEvent,
    Closing,
    CorrectionEvent,
    RolloverEvent,
    StatusScope,
    TapeEvent,
)

UpdateKind = Literal["baseline", "change", "rollover", "correction"]
StateKind = Literal["state", "resync", "conflated"]


@dataclass(frozen=True, slots=True)
class Update:
    """An event of the tape, applied: `book` is the list after it.

    `book` is None only while older events are read whose first complete list lies before them. `is_late`: it was
    observed more than `max_age` ago when it was handed over, so it is no news to trade on.
    """

    kind: UpdateKind
    code: str
    event: TapeEvent
    entry_id: str
    book: BookView | None
    is_late: bool = False

    @property
    def changes(self) -> tuple[Change, ...]:
        """One record per broker whose row changed; empty unless `kind` is `change`."""
        return self.event.data.changes if isinstance(self.event, ChangeEvent) else ()

    @property
    def closing(self) -> Closing | None:
        """The last list of the day before; None unless `kind` is `rollover`."""
        return self.event.data.closing if isinstance(self.event, RolloverEvent) else None

    @property
    def broken(self) -> tuple[Broken, ...]:
        """What was restated in a way that trading cannot cause; empty unless `kind` is `correction`."""
        return self.event.data.broken if isinstance(self.event, CorrectionEvent) else ()


@dataclass(frozen=True, slots=True)
class State:
    """The list of a code as a whole, not by an event: what was before it need not be known.

    - `state`: as it stood when the subscription joined; the first thing told of a code, but for starts in the past.
    - `resync`: events of the code were missed, `reason` says why; this is what the store has now. `book` is None if
      it has nothing, or if the events that follow are read without a complete list yet.
    - `conflated`: the latest list, in place of `skipped` updates that came while the handler was busy.
    """

    kind: StateKind
    code: str
    book: BookView | None
    reason: str | None = None
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Freshness:
    """A code passed `max_age` one way or the other. `age` (s) is None for a code without a list."""

    kind: Literal["stale", "fresh"]
    code: str
    age: float | None


@dataclass(frozen=True, slots=True)
class Status:
    """What publishers say of a gateway, the market, a code or themselves.

    Scope `code`: `suspended` after errors, `refused` when it cannot be had at all, `recovered`.
    """

    kind: Literal["status"]
    scope: StatusScope
    name: str
    state: str
    reason: str | None

    @property
    def code(self) -> str | None:
        """The code it is about, if it is about one."""
        return self.name if self.scope == "code" else None


@dataclass(frozen=True, slots=True)
class Connection:
    """Redis was lost, or is back: what follows goes on where it was left."""

    kind: Literal["disconnected", "connected"]
    reason: str | None = None


Event = Update | State | Freshness | Status | Connection
