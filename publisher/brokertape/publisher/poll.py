"""One poll from top to bottom: ask, judge, commit. The schedule and the feed hear what came of it."""

import logging
import uuid
from dataclasses import dataclass

from brokertape.gateway.errors import (
    GatewayError,
    LinkError,
    NotHongKong,
    OverBudget,
    RequestTimeout,
    UnknownCode,
)
from brokertape.gateway.port import Gateway
from brokertape.publisher.budget import Slot, SlotExpired
from brokertape.publisher.clock import Clock
from brokertape.publisher.commit import BookStore, Committed, Conflict
from brokertape.publisher.holding import Holding
from brokertape.publisher.snapshot import Snapshot
from brokertape.publisher.step import Append, Base, Drop, Touch, next_step
from brokertape.tape.book import Book
from brokertape.tape.errors import StoreUnavailable

logger = logging.getLogger("brokertape.publisher.poll")

FIRST_REPEAT_S = 0.05
LONGEST_REPEAT_S = 2.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A good poll: the list was seen, and `changed_rows` of its rows had changed."""

    changed_rows: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The gateway answered with a failure that concerns this code. `is_final` when asking again is no use."""

    reason: str
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Stale:
    """The reply was older than the book, and dropped: what the list is now, nobody knows."""


@dataclass(frozen=True, slots=True)
class Void:
    """Nothing came of the poll through no fault of the code: it is due again."""

    reason: str


Outcome = Seen | Failed | Stale | Void


@dataclass(slots=True)
class Counts:
    """What happened to polls since the start."""

    polls: int = 0
    events: int = 0
    unchanged: int = 0
    conflicts: int = 0
    dropped_replies: int = 0
    failures: int = 0
    refusals: int = 0


class Poller:
    """Asks for codes and commits what it learns. Holds, per code, the book the next reply is judged against."""

    def __init__(self, gateway: Gateway, books: BookStore, clock: Clock, *, source: str) -> None:
        self._gateway = gateway
        self._books = books
        self._clock = clock
        self._source = source
        self._holdings: dict[str, Holding] = {}
        self.counts = Counts()

    def book(self, code: str) -> Book | None:
        """The book held of `code`."""
        holding = self._holdings.get(code)
        return holding.base.book if holding is not None else None

    def seen_at(self, code: str, trading_date: str) -> int | None:
        """When the last good poll of `code` was sent, by whomever (ms); None unless it was of that date, and may be
        built upon."""
        base = self._holdings[code].base
        is_good = base.book is not None and base.restart is None and base.book.trading_date == trading_date
        return base.book.asked_at if base.book is not None and is_good else None

    async def prepare(self, code: str) -> None:
        """Read the book of `code` before it is polled, so that no slot waits for it. Raises StoreError, DecodeError."""
        stored = await self._books.read(code)
        if code in self._holdings:
            self._holdings[code].reread(stored)
        else:
            self._holdings[code] = Holding(stored)

    async def poll(self, code: str, slot: Slot) -> Outcome:
        """Spend `slot` on `code`. Raises StoreError when Redis fails in a way that repeating does not cure."""
        holding = self._holdings[code]
        base = holding.base
        self.counts.polls += 1
        asked_at = self._clock.now_ms()
        try:
            async with slot:
                table = await self._gateway.top_ten_brokers(code)
                snapshot = Snapshot.of(table, asked_at, self._clock.now_ms())
                # Within the slot: its stamp comes after the commit, where it only over-counts, and the news goes first.
                return await self._advance(holding, base, snapshot)
        except SlotExpired as error:
            return Void(str(error))
        except GatewayError as error:
            return self._failure(error)

    def _failure(self, error: GatewayError) -> Outcome:
        self.counts.failures += 1
        match error:
            case OverBudget():
                self.counts.refusals += 1
                return Void(str(error))
            case NotHongKong() | UnknownCode():
                return Failed(str(error), is_final=True)
            case LinkError() if not isinstance(error, RequestTimeout):
                return Void(str(error))
            case _:
                return Failed(str(error))

    async def _advance(self, holding: Holding, base: Base, snapshot: Snapshot) -> Outcome:
        step = next_step(base, snapshot, commit=uuid.uuid4().hex, source=self._source, now=self._clock.now_ms())
        if isinstance(step, Drop):
            self.counts.dropped_replies += 1
            holding.dropped(step.base)
            return Stale()
        written = await self._commit(base.book, step)
        if isinstance(written, Conflict):
            self.counts.conflicts += 1
            holding.reread(await self._books.read(snapshot.code))
            return Void("another book is stored")
        return self._learn(holding, step, written)

    def _learn(self, holding: Holding, step: Append | Touch, written: Committed) -> Outcome:
        if isinstance(step, Touch):
            self.counts.unchanged += 1
            holding.touched(written.book)
            return Seen(changed_rows=0)
        self.counts.events += 1
        before = holding.base.book
        holding.committed(written.book)
        return Seen(changed_rows=_rows_that_differ(before, written.book))

    async def _commit(self, held: Book | None, step: Append | Touch) -> Committed | Conflict:
        """Commit `step`, repeating the very same commit for as long as it is in doubt."""
        delay_s = FIRST_REPEAT_S
        while True:
            try:
                return await self._books.commit(held, step)
            except StoreUnavailable as error:
                logger.warning("commit of %s in doubt, repeated in %.2f s: %s", step.book.code, delay_s, error)
                await self._clock.sleep(delay_s)
                delay_s = min(2 * delay_s, LONGEST_REPEAT_S)


def _rows_that_differ(before: Book | None, after: Book) -> int:
    """How many rows of the list changed, told apart by (side, broker): an insertion moves ranks, not rows."""
    known = {} if before is None else {(row.side, row.broker_name): row.numbers for row in before.rows}
    left = known.keys() - {(row.side, row.broker_name) for row in after.rows}
    return max(sum(known.get((row.side, row.broker_name)) != row.numbers for row in after.rows), len(left))
