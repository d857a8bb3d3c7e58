"""The rules at work on the tape: the handler of the alerting worker, and what it does between two batches.

    batch ─▶ skip what is judged ─▶ list after each event ─▶ Engine ─▶ one step: memory, how far, outbox

One worker of the group judges all partitions, so that rules may look across codes; the others stand by. Whatever goes
wrong, what it holds is dropped and read again: what is written is the only truth.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

from brokertape.tape.book import Book
from brokertape.tape.errors import DecodeError, StoreError
from brokertape.tape.events import TapeEvent, WatermarkData
from brokertape.tape.rows import Row
from brokertape.tape.start import id_order
from brokertape.workers.alerts.alert import Alert
from brokertape.workers.alerts.digest import LATE, digest_event
from brokertape.workers.alerts.engine import Engine
from brokertape.workers.alerts.event import MOST_TOLD, Told, alert_event
from brokertape.workers.alerts.following import NoList, begin_with, rows_after
from brokertape.workers.alerts.ledger import (
    Entry,
    Late,
    Ledger,
    Standpoint,
    Verdict,
    at_field,
    baskets_forgotten,
    encoded,
    late_field,
    memory_fields,
)
from brokertape.workers.alerts.rules import RuleSet
from brokertape.workers.alerts.state import CodeState
from brokertape.workers.alerts.tally import Tally
from brokertape.workers.delivery import Delivery
from brokertape.workers.errors import SinkUnavailable

log = logging.getLogger("brokertape.workers.alerts")

LATE_QUIET_S = 3.0  # late alerts are told once no more of them have come for so long …
LATE_LONGEST_S = 60.0  # … or the first of them has waited for so long


@dataclass(slots=True)
class JudgingCounts:
    """Counters that only rise."""

    events: int = 0
    """Events judged."""
    alerts: int = 0
    """Alerts found, late ones included."""
    late: int = 0
    """Alerts that were old when they were found: told in a digest."""
    digests: int = 0
    gaps: int = 0
    """Times events had been missed, and the book told how a code stands."""
    rules: dict[str, Tally] = field(default_factory=dict)
    """What came of every rule, by its name, as far as it is written down."""

    def begin_rules(self, rules: RuleSet) -> None:
        """These are counted from now on; those that were before go on."""
        self.rules = {rule.name: self.rules.get(rule.name, Tally()) for rule in rules.rules}

    def add_rules(self, tallies: Mapping[str, Tally]) -> None:
        """Further evaluations count."""
        for name, tally in tallies.items():
            self.rules[name].add(tally)


@dataclass(slots=True)
class _Held:
    """What is in memory of what is written, and the engine that carries it on."""

    point: Standpoint
    engine: Engine
    forgotten: dict[str, bytes]
    late_since: float = 0.0
    late_at: float = 0.0
    """Monotonic: when the first, and the last, of the late alerts was found."""


@dataclass(slots=True)
class _Draft:
    """What a batch has led to so far."""

    reached: dict[int, str] = field(default_factory=dict)
    codes: set[str] = field(default_factory=set)
    alerts: list[Alert] = field(default_factory=list)
    events: int = 0


class Judging:
    """Judges what the worker hands over.

    Args:
        ledger: Where everything is written.
        rules: The rules, until `use` gives others.
        source: The CloudEvents source of alerts.
        group: The alerting group, for digests.
        late_after_ms: An alert that is older when it is found is told in a digest.
        now_ms: The clock that says so (ms since 1970).
        monotonic: The clock of pauses (s).
        counts: To count into; new ones unless given.
    """

    def __init__(
        self,
        ledger: Ledger,
        rules: RuleSet,
        *,
        source: str,
        group: str,
        late_after_ms: int,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
        counts: JudgingCounts | None = None,
    ) -> None:
        self._ledger = ledger
        self._rules = rules
        self._source = source
        self._group = group
        self._late_after_ms = late_after_ms
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._held: _Held | None = None
        self._token = 0
        self._lock = asyncio.Lock()
        self.counts = counts or JudgingCounts()
        self.counts.begin_rules(rules)

    @property
    def rules(self) -> RuleSet:
        """What it judges by."""
        return self._rules

    async def use(self, rules: RuleSet) -> None:
        """Judge by `rules` from now on. Rules that look for the same as before remember what they did."""
        async with self._lock:
            self._rules, self._held = rules, None
            self.counts.begin_rules(rules)

    async def handle(self, batch: Sequence[Delivery]) -> None:
        """Judge `batch`, per partition in order.

        Raises:
            SinkUnavailable: Redis does not answer or refuses, what is remembered cannot be read, or somebody else has
                written: the same batch is to come again.
        """
        async with self._sitting(max(delivery.fence or 0 for delivery in batch)) as held:
            draft = _Draft()
            for delivery in batch:
                reached = draft.reached.get(delivery.partition, held.point.reached.get(delivery.partition))
                if reached is None or id_order(delivery.entry_id) > id_order(reached):
                    draft.alerts += await self._judge(held, delivery.event, draft)
                    draft.reached[delivery.partition] = delivery.entry_id
            await self._write(held, draft)

    async def begin(self, books: Sequence[Book]) -> None:
        """A new group begins with these lists, one partition's."""
        async with self._sitting() as held:
            for book in books:
                begin_with(held.engine.memory.codes.setdefault(book.code, CodeState()), book)
            await self._write(held, _Draft(codes={book.code for book in books}))

    async def see(self, marks: WatermarkData, token: int) -> None:
        """Codes were looked at, as the feed says; `token` is our lease's.

        Written is only what that makes alerts of: later marks say again when a code was last looked at.
        """
        async with self._sitting(token) as held:
            draft = _Draft()
            for code, mark in sorted(marks.codes.items(), key=lambda item: item[1].observed_at):
                draft.alerts += held.engine.see(code, mark.observed_at)
            if draft.alerts:
                await self._write(held, draft)

    async def tell_late(self, token: int) -> None:
        """Tell late alerts together, once it has been quiet for a while: to be called every now and then.

        `token` is our lease's.
        """
        async with self._sitting(token) as held:
            late, now = held.point.late, self._monotonic()
            if late.alerts and (now - held.late_at >= LATE_QUIET_S or now - held.late_since >= LATE_LONGEST_S):
                digest = digest_event(late.alerts, late.more, late.first_at, LATE, self._group, self._source)
                await self._commit(held, {}, Late(), [digest])
                self.counts.digests += 1

    @asynccontextmanager
    async def _sitting(self, token: int = 0) -> AsyncIterator[_Held]:
        """What is held under the lease with `token`: with a new one all is read anew, others have judged meanwhile."""
        async with self._lock:
            try:
                if token > self._token:
                    self._token, self._held = token, None
                if self._held is None:
                    self._held = await self._read()
                yield self._held
            except (StoreError, DecodeError) as error:  # no event is to blame: none may become a dead letter
                self._held = None
                raise SinkUnavailable(f"alerts are not judged: {error}") from error
            except BaseException:
                self._held = None
                raise

    async def _read(self) -> _Held:
        # Our token first: what an earlier owner has on its way must not land behind what we read.
        if await self._ledger.write(Entry(self._token, {}, {})) is not Verdict.WRITTEN and self._token:
            raise SinkUnavailable(_WHY[Verdict.FENCED])
        point = await self._ledger.load()
        self._token = max(self._token, point.token)  # before the first lease of a new group there is none
        memory, rules = point.memory, self._fingerprints
        changed = [name for name, of_rule in point.rules.items() if rules.get(name) != of_rule]
        for name in changed:
            memory.forget_rule(name)
        now = self._monotonic()
        forgotten = baskets_forgotten(changed)
        return _Held(point, Engine(self._rules, memory), forgotten, late_since=now, late_at=now)

    @property
    def _fingerprints(self) -> dict[str, str]:
        return {rule.name: rule.fingerprint for rule in self._rules.rules}

    async def _judge(self, held: _Held, event: TapeEvent, draft: _Draft) -> list[Alert]:
        code = held.engine.memory.codes.setdefault(event.data.code, CodeState())
        rows = rows_after(code.known, event)
        if rows is NoList.GAP:
            rows = await self._mend(held.engine, code, event)
        if isinstance(rows, NoList):
            draft.codes.add(event.data.code)
            return []
        draft.codes.add(event.data.code)
        draft.events += 1
        return held.engine.take(event, rows)

    async def _mend(self, engine: Engine, code: CodeState, event: TapeEvent) -> NoList | tuple[Row, ...]:
        """Events before this one were missed: go on from the book, in which this one is, or was the last one."""
        book = await self._ledger.book(event.data.code)
        if code.known.version is not None:
            self.counts.gaps += 1
            log.warning("events of %s before %s were missed: going on from its book", event.data.code, event.id)
        if book is not None and begin_with(code, book):
            engine.forget(event.data.code)
        return rows_after(code.known, event)

    async def _write(self, held: _Held, draft: _Draft) -> None:
        """The outcome of `draft`: alerts that are fresh go out, late ones wait to be told together."""
        draft.codes |= {alert.code for alert in draft.alerts} & held.engine.memory.codes.keys()
        oldest = self._now_ms() - self._late_after_ms
        late = [alert for alert in draft.alerts if alert.at < oldest]
        told = [alert_event(alert, self._source) for alert in draft.alerts if alert.at >= oldest]
        waiting = held.point.late
        if late:
            now, together = self._monotonic(), (*waiting.alerts, *late)
            held.late_at, held.late_since = now, held.late_since if waiting.alerts else now
            first_at = late[0].at if waiting.first_at is None else waiting.first_at
            waiting = Late(together[-MOST_TOLD:], waiting.more + max(0, len(together) - MOST_TOLD), first_at)
        # With other rules all is written anew: what a rule of that name remembered of any code is nothing to this one.
        codes = held.engine.memory.codes if held.forgotten else draft.codes
        fields = held.forgotten | memory_fields(held.engine.memory, sorted(codes), self._fingerprints)
        await self._commit(held, fields, waiting, told, draft.reached)
        held.forgotten = {}
        self.counts.events += draft.events
        self.counts.alerts += len(draft.alerts)
        self.counts.late += len(late)
        self.counts.add_rules(held.engine.tallies)
        held.engine.count_anew()

    async def _commit(
        self,
        held: _Held,
        fields: Mapping[str, bytes],
        late: Late,
        told: Sequence[Told],
        reached: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        point = held.point
        expected = {at_field(one): point.reached.get(one, "").encode() for one in reached}
        fields = {**fields, **{at_field(one): entry_id.encode() for one, entry_id in reached.items()}}
        stored = point.late_stored
        if late is not point.late:
            expected |= late_field(stored)
            stored = encoded(late)
            fields |= late_field(stored)
        verdict = await self._ledger.write(Entry(self._token, expected, fields, told))
        if verdict is not Verdict.WRITTEN:
            raise SinkUnavailable(_WHY[verdict])
        point.reached |= reached
        point.late, point.late_stored = late, stored


_WHY = {
    Verdict.FENCED: "another worker has taken over the rules of this group",
    Verdict.MOVED: "what the rules remember was written by somebody else, or lost: reading it again",
}
