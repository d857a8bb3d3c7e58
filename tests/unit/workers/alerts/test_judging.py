"""Judging: what is written is all that counts, old news is told once, and rules may change."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokertape.tape import book as tape_book
from brokertape.tape.book import Book
from brokertape.tape.events import TapeEvent, WatermarkData, WatermarkEntry
from brokertape.tape.rows import hash_rows
from brokertape.workers import Delivery, Entry
from brokertape.workers.alerts.event import AlertEvent, DigestEvent
from brokertape.workers.alerts.judging import LATE_QUIET_S, Judging
from brokertape.workers.alerts.ledger import Verdict
from brokertape.workers.alerts.rule_file import parse_rules
from brokertape.workers.errors import SinkUnavailable
from support.alerting import Judged
from support.memory_ledger import MemoryLedger
from support.scripted_day import ScriptedDay

RULES = """
[groups]
pair = ["UBS", "HSBC"]
[[rule]]
name = "any"
when = "flow_known && flow.net_vol != 0"
cooldown = "1m"
[[rule]]
name = "heavy"
when = "bought > 5000"
over = "2m"
[[rule]]
name = "lasting"
when = "net_vol > 0"
polls = 2
[[rule]]
name = "pair"
brokers = ["@pair"]
together = ["brokers"]
when = "turned"
[[rule]]
name = "everywhere"
together = ["codes"]
when = "codes_buying >= 2"
"""
CODES = ("HK.00700", "HK.00005")
BROKERS = ("UBS", "HSBC", "Citi", "CLSA")
FENCE = 7


def history(chance: random.Random, count: int) -> list[TapeEvent]:
    """What polling two codes in turn finds."""
    days = [ScriptedDay(code=code) for code in CODES]
    events = [day.baseline() for day in days]
    for number in range(count):
        day = days[number % len(days)]
        for broker in chance.sample(BROKERS, 2):
            day.trade(broker, buy=chance.randrange(40) * 100, sell=chance.randrange(40) * 100)
        day.trade("UBS", buy=100)
        events.append(day.poll())
    return events


def deliveries(events: Sequence[TapeEvent], first: int = 1) -> list[Delivery]:
    """As a worker with a lease delivers them."""
    return [Delivery(Entry(0, f"{number}-0", {}, 1), event, FENCE) for number, event in enumerate(events, first)]


class Bench:
    """Judging at a time that the test sets."""

    def __init__(self, rules: str = RULES, ledger: MemoryLedger | None = None, *, now_ms: int = 0) -> None:
        self.now_ms = now_ms
        self.monotonic = 0.0
        self.ledger = ledger or MemoryLedger()
        self.judging = Judging(
            self.ledger,
            parse_rules(rules),
            source="/brokertape/alerts",
            group="alerts",
            late_after_ms=60_000,
            now_ms=lambda: self.now_ms,
            monotonic=lambda: self.monotonic,
        )

    @property
    def ids(self) -> list[str]:
        """Of what was told."""
        return [told.id for told in self.ledger.told]


def ids_in_time(events: Sequence[TapeEvent]) -> list[str]:
    """What an engine that never stops finds."""
    return [alert.id for alert in Judged(RULES).take(*events)]


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 7))
async def test_whoever_goes_on_finds_the_same(chance: random.Random, size: int) -> None:
    """After every batch another worker takes over, which has nothing but what is written; batches come twice."""
    events = history(chance, 24)
    expected, ledger = ids_in_time(events), MemoryLedger()
    given_out = deliveries(events)
    for start in range(0, len(given_out), size):
        batch = given_out[max(0, start - chance.randrange(3)) : start + size]
        await Bench(ledger=ledger).judging.handle(batch)
    assert [told.id for told in ledger.told] == expected
    assert expected


async def test_a_step_that_was_written_but_not_answered_is_not_done_again() -> None:
    """Redis went away in between: the same batch comes again."""
    bench, events = Bench(), history(random.Random(1), 12)

    async def write_and_lose(entry: Any) -> Verdict:
        await MemoryLedger.write(bench.ledger, entry)
        del bench.ledger.write
        raise SinkUnavailable("gone")

    bench.ledger.write = write_and_lose  # type: ignore[method-assign]
    with pytest.raises(SinkUnavailable):
        await bench.judging.handle(deliveries(events))
    await bench.judging.handle(deliveries(events))
    assert bench.ids == ids_in_time(events)


async def test_who_lost_its_lease_writes_nothing() -> None:
    """And has to read everything again, should it come back."""
    events = history(random.Random(2), 6)
    ledger = MemoryLedger()
    old = Bench(ledger=ledger)
    await old.judging.handle(deliveries(events[:4]))
    ledger.token, told = FENCE + 1, len(ledger.told)
    with pytest.raises(SinkUnavailable, match="another worker has taken over"):
        await old.judging.handle(deliveries(events[4:], first=5))
    assert len(ledger.told) == told


async def test_a_lease_regained_begins_with_what_others_have_written() -> None:
    """Whatever it still held from its first time."""
    events, ledger = history(random.Random(6), 24), MemoryLedger()
    first, second = Bench(ledger=ledger), Bench(ledger=ledger)
    given_out = deliveries(events)

    async def judge(bench: Bench, batch: Sequence[Delivery], token: int) -> None:
        await bench.judging.handle([Delivery(one.entry, one.event, token) for one in batch])

    await judge(first, given_out[:8], 1)
    await judge(second, given_out[8:16], 2)
    await judge(first, given_out[16:], 3)
    assert [told.id for told in ledger.told] == ids_in_time(events)


async def test_old_news_is_one_digest() -> None:
    """Two hours of it, after an outage: one message, marked, with what would have fired in time and nothing else."""
    events = history(random.Random(3), 360)
    expected = ids_in_time(events)
    bench = Bench(now_ms=events[-1].data.observed_at + 7_200_000)
    batches = deliveries(events)
    for start in range(0, len(batches), 50):
        await bench.judging.handle(batches[start : start + 50])
        bench.monotonic += 1
        await bench.judging.tell_late(FENCE)
    assert bench.ledger.told == []
    bench.monotonic += LATE_QUIET_S
    await bench.judging.tell_late(FENCE)
    await bench.judging.tell_late(FENCE)
    [digest] = bench.ledger.told
    assert isinstance(digest, DigestEvent)
    assert len(digest.data.alerts) + digest.data.more == len(expected) > 200
    assert [alert.id for alert in digest.data.alerts] == expected[-len(digest.data.alerts) :]
    assert digest.data.message.splitlines()[0].startswith(f"{len(expected)} alerts from 2026-05-08 10:00:")
    assert "late" in digest.data.message
    assert bench.judging.counts.late == len(expected)


async def test_after_old_news_new_ones_are_told_at_once() -> None:
    """With the cooldowns that the old ones began."""
    events = history(random.Random(4), 40)
    in_time = ids_in_time(events)
    bench = Bench(now_ms=events[20].data.observed_at + 60_001)
    await bench.judging.handle(deliveries(events[:21]))
    bench.now_ms = 0
    await bench.judging.handle(deliveries(events[21:], first=22))
    late = {alert.id for alert in (await bench.ledger.load()).late.alerts}
    assert [*(one for one in in_time if one in late), *bench.ids] == in_time
    assert late
    assert bench.ids


async def test_a_digest_that_waits_is_told_by_whoever_comes_next() -> None:
    """Killed before it was told; it has the same id from anybody."""
    events = history(random.Random(5), 12)
    later = events[-1].data.observed_at + 7_200_000
    first = Bench(now_ms=later)
    await first.judging.handle(deliveries(events))
    second = Bench(ledger=first.ledger, now_ms=later)
    await second.judging.tell_late(FENCE)
    second.monotonic += LATE_QUIET_S
    await second.judging.tell_late(FENCE)
    assert [type(told) for told in first.ledger.told] == [DigestEvent]
    first.monotonic += LATE_QUIET_S
    with pytest.raises(SinkUnavailable, match="written by somebody else"):
        await first.judging.tell_late(FENCE)
    await first.judging.tell_late(FENCE)
    assert len(first.ledger.told) == 1


async def test_a_group_begins_with_the_books() -> None:
    """So that the first change of a code is judged; what is in a book already is not."""
    day = ScriptedDay()
    day.trade("UBS", buy=100).baseline()
    seen = day.trade("UBS", buy=100).poll()
    bench = Bench()
    await bench.judging.begin([book_of(day, seen)])
    change = day.trade("UBS", buy=500).poll()
    await bench.judging.handle(deliveries([seen, change]))
    assert bench.ids == [f"{change.id}/any/{suffix}" for suffix in {one.rsplit("/", 1)[1] for one in bench.ids}]
    assert bench.judging.counts.gaps == 0


async def test_missed_events_are_made_good_by_the_book() -> None:
    """Trimmed away before they were read: nothing is said of what nobody saw, and what comes after is judged."""
    day, bench = ScriptedDay(), Bench()
    baseline = day.trade("UBS", buy=100).baseline()
    day.trade("UBS", buy=100).poll()
    third = day.trade("UBS", buy=100).poll()
    bench.ledger.books[day.code] = book_of(day, third)
    await bench.judging.handle(deliveries([baseline, third]))
    assert bench.ids == []
    assert bench.judging.counts.gaps == 1
    await bench.judging.handle(deliveries([day.trade("UBS", buy=100).poll()], first=9))
    assert bench.ids


async def test_who_left_unseen_is_in_no_basket_any_more() -> None:
    """UBS bought in one code and left its list in events that were missed: then it buys in one code, not in two."""
    gone, here = (ScriptedDay(code=code) for code in CODES)
    bench = Bench('[[rule]]\nname = "both"\ntogether = ["codes"]\nwhen = "codes_buying >= 2"\n')
    seen = [gone.trade("UBS", buy=100).trade("HSBC", buy=50).baseline(), gone.trade("UBS", buy=100).poll()]
    gone.trade("UBS", sell=200).poll()
    last = gone.trade("HSBC", buy=50).poll()
    bench.ledger.books[gone.code] = book_of(gone, last)
    elsewhere = [here.trade("Citi", buy=100).baseline(), here.trade("UBS", buy=100).poll()]
    elsewhere.append(here.trade("UBS", buy=100).poll())
    await bench.judging.handle(deliveries([*seen, last, *elsewhere]))
    assert bench.judging.counts.gaps == 1
    assert [one for one in bench.ledger.told if isinstance(one, AlertEvent) and one.data.broker == "UBS"] == []


async def test_other_rules_go_on_where_they_were_unless_they_changed() -> None:
    """A rule that looks for the same keeps its cooldowns; one that is another does not."""
    day, bench = ScriptedDay(), Bench(rule("cooldown = '1h'"))
    await bench.judging.handle(deliveries([day.trade("UBS", buy=100).baseline(), day.trade("UBS", buy=100).poll()]))
    assert len(bench.ids) == 1
    await bench.judging.use(parse_rules(rule("cooldown = '2h'\ntext = 'the same'")))
    await bench.judging.handle(deliveries([day.trade("UBS", buy=100).poll()], first=3))
    assert len(bench.ids) == 1
    await bench.judging.use(parse_rules(rule("cooldown = '1h'\nsides = ['buy']")))
    await bench.judging.handle(deliveries([day.trade("UBS", buy=100).poll()], first=4))
    assert len(bench.ids) == 2


async def test_what_a_changed_rule_remembered_of_other_codes_is_gone_for_good() -> None:
    """Also for whoever comes after the change, when nothing has happened in those codes since."""
    days, bench = [ScriptedDay(code=code) for code in CODES], Bench(rule("cooldown = '1h'"))
    events = [day.trade("UBS", buy=100).baseline() for day in days]
    events += [day.trade("UBS", buy=100).poll() for day in days]
    await bench.judging.handle(deliveries(events))
    changed = rule("cooldown = '1h'\nsides = ['buy']")
    after = Bench(changed, bench.ledger)
    await after.judging.handle(deliveries([days[0].trade("UBS", buy=100).poll()], first=5))
    assert len(bench.ids) == 3
    later = Bench(changed, bench.ledger)
    await later.judging.handle(deliveries([days[1].trade("UBS", buy=100).poll()], first=6))
    assert len(bench.ids) == 4


async def test_a_group_that_begins_again_beside_an_older_memory_does() -> None:
    """Somebody deleted the group; the memory has the token of its last owner."""
    day = ScriptedDay()
    baseline = day.trade("UBS", buy=100).baseline()
    first = Bench()
    await first.judging.handle(deliveries([baseline]))
    change = day.trade("UBS", buy=100).poll()
    second = Bench(ledger=first.ledger)
    await second.judging.begin([book_of(day, change)])
    await second.judging.handle(deliveries([day.trade("UBS", buy=100).poll()], first=9))
    assert second.ids


async def test_a_memory_that_cannot_be_read_buries_no_event() -> None:
    """It is said, and waited for: nothing on the tape is at fault."""
    bench = Bench()
    bench.ledger.fields[b"code:HK.00700"] = b"\xc1"
    with pytest.raises(SinkUnavailable, match="alerts are not judged: what alerts remember is not readable"):
        await bench.judging.handle(deliveries(history(random.Random(8), 2)))


async def pass_by(bench: Bench, seen: ScriptedDay, others: ScriptedDay) -> None:
    """Two minutes in which one code is looked at and the marks of the other do not move."""
    for seconds in range(5, 120, 5):
        at = {seen.code: seen.now + seconds * 1000, others.code: others.now}
        marks = {code: WatermarkEntry(observed_at=one, data_time=None, epoch=1, seq=1) for code, one in at.items()}
        await bench.judging.see(WatermarkData(codes=marks), FENCE)
    seen.sleep(120)


async def test_a_code_that_nobody_looks_at_is_told_by_the_feeds_marks() -> None:
    """Others are looked at; it is told once, and again after somebody has looked, whoever judges by then."""
    seen, stale = (ScriptedDay(code=code) for code in CODES)
    rules = '[[rule]]\nname = "stale"\nstale_after = "1m"\n'
    bench = Bench(rules)
    await bench.judging.handle(deliveries([seen.baseline(), stale.baseline()]))
    await pass_by(bench, seen, stale)
    [told] = bench.ledger.told
    assert isinstance(told, AlertEvent)
    assert (told.data.rule, told.data.code) == ("stale", stale.code)
    stale.now = seen.now
    mark = WatermarkEntry(observed_at=stale.now, data_time=None, epoch=1, seq=1)
    await bench.judging.see(WatermarkData(codes={stale.code: mark}), FENCE)
    await pass_by(Bench(rules, bench.ledger), seen, stale)
    assert len(bench.ledger.told) == 2


def rule(more: str) -> str:
    """One rule."""
    return f'[[rule]]\nname = "one"\nwhen = "flow_known && flow.net_vol > 0"\n{more}\n'


def book_of(day: ScriptedDay, event: TapeEvent) -> Book:
    """The book after `event`, the day's last one."""
    return Book(
        epoch=event.data.epoch,
        seq=event.data.seq,
        entry_id="1-0",
        commit="c",
        server="s",
        asked_at=day.now,
        observed_at=day.now,
        data_time=None,
        hash=hash_rows(day.rows),
        repeated=(),
        snapshot=tape_book.Snapshot(day.code, day.date, day.rows),
    )
