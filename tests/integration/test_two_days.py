"""Two trading days in virtual time, with everything that can happen to them, told as the expected events."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from brokertape.gateway.values import BrokerItem
from brokertape.publisher.service import Intervals
from brokertape.publisher.window import Limit
from brokertape.simulator.given_answer import GivenAnswer
from brokertape.simulator.in_memory import InMemoryGateway
from brokertape.simulator.instruments import KNOWN
from brokertape.simulator.market_model import MarketModel, MarketSettings, Restatement
from brokertape.simulator.trading_calendar import TradingCalendar, market_moment
from brokertape.simulator.virtual_time import VirtualClock, run_virtual
from brokertape.tape import Keys, decode_entry
from support.fake_redis import fake_redis
from support.publishing import assemble

KEYS = Keys()
WEDNESDAY, HALF_DAY = date(2026, 5, 6), date(2026, 5, 7)
BEGIN_S = market_moment(WEDNESDAY, 9 * 3600 - 120)  # all codes are seen before the lists empty
END_S = market_moment(HALF_DAY, 13 * 3600)
CODES = [instrument.code for instrument in KNOWN[:8]]
FAILING, RESTATED, ADDED, REMOVED = CODES[1], CODES[0], "HK.00941", CODES[3]
HOUR = 3600
SELDOM = Intervals(
    state_s=20, watch_s=30, watermark_s=300, lease_s=300, why_s=300, trim_s=1800, sweep_s=300, save_s=300
)
HKT = timezone(timedelta(hours=8))


@dataclass
class Run:
    """What came of the two days."""

    answers: list[GivenAnswer] = field(default_factory=list)
    tape: dict[str, list[Any]] = field(default_factory=dict)
    feed: list[Any] = field(default_factory=list)
    flushed_ms: int = 0


async def two_days() -> Run:
    """Wednesday with a restatement, an hour of one code failing, one code more and one less; a FLUSHALL on Thursday,
    a half day."""
    run, clock = Run(), VirtualClock(round(BEGIN_S * 1000))
    model = MarketModel(
        MarketSettings(
            instruments=KNOWN[:15],
            trades_per_s=1.0,
            calendar=TradingCalendar(half_days=frozenset({HALF_DAY})),
            restatements=(Restatement(RESTATED, market_moment(WEDNESDAY, 14 * HOUR)),),
        ),
        BEGIN_S,
    )
    gateway = InMemoryGateway(model, clock.now_s)
    gateway.misbehaviour.fail_code(
        FAILING, "NN_ProtoRet_SvrFailed", market_moment(WEDNESDAY, 10 * HOUR), market_moment(WEDNESDAY, 11 * HOUR)
    )
    client = fake_redis()
    bench = assemble(client, gateway, clock, limit=Limit(30, 300.0), intervals=SELDOM)
    for code in CODES:
        await bench.watch.add_missing(code)
    stop = asyncio.Event()
    publishing = asyncio.create_task(bench.publisher.run(stop))

    async def at(day: date, hours: float, act: Callable[[], Awaitable[Any]]) -> None:
        await clock.sleep(market_moment(day, hours * HOUR) - clock.now_s())
        await act()

    async def keep_and_flush() -> None:
        run.tape, run.feed = await read_tape(client), await read_feed(client)
        run.flushed_ms = clock.now_ms()
        await client.flushall()
        for code in bench.schedule.codes:
            await bench.watch.add_missing(code)

    await at(WEDNESDAY, 11.5, lambda: bench.watch.add_missing(ADDED))
    await at(WEDNESDAY, 15.5, lambda: bench.watch.remove(REMOVED))
    await at(HALF_DAY, 10.5, keep_and_flush)
    await clock.sleep(END_S - clock.now_s())
    stop.set()
    await publishing
    for code, events in (await read_tape(client)).items():
        run.tape.setdefault(code, []).extend(events)
    run.feed += await read_feed(client)
    run.answers = gateway.answers
    await client.aclose()
    return run


async def read_tape(client: Any) -> dict[str, list[Any]]:
    """Every tape event per code, in order."""
    tape: dict[str, list[Any]] = {}
    for stream in KEYS.tapes():
        for _, fields in await client.xrange(stream):
            event = decode_entry(fields)
            tape.setdefault(event.subject, []).append(event)
    return tape


async def read_feed(client: Any) -> list[Any]:
    """Every status still on the feed."""
    events = [decode_entry(fields) for _, fields in await client.xrange(KEYS.feed)]
    return [event for event in events if event.kind == "status"]


@pytest.fixture(scope="module")
def run() -> Run:
    """The two days, lived once."""
    return run_virtual(two_days())


def expected_kinds(answers: list[GivenAnswer], flushed_ms: int) -> list[str]:
    """What the contract makes of the good answers of one code, said in the plainest way.

    The first one after the flush was judged against a book that is gone: it is dropped, and the next begins anew.
    """
    before_flush = [answer for answer in answers if answer.received_ms <= flushed_ms]
    after_flush = [answer for answer in answers if answer.received_ms > flushed_ms]
    return kinds_of(before_flush) + kinds_of(after_flush[1:])


def kinds_of(answers: list[GivenAnswer]) -> list[str]:
    """The kinds of event that answers call for when the first of them is the first ever."""
    tables = [answer.reply.table for answer in answers if answer.reply.table is not None]
    kinds = ["baseline"] if tables else []
    for before, now in itertools.pairwise(tables):
        if now.data_time and before.data_time and market_date(now.data_time) != market_date(before.data_time):
            kinds.append("rollover")
        elif now.brokers != before.brokers:
            kinds.append("correction" if is_restated(before.brokers, now.brokers) else "change")
    return kinds


def market_date(data_time: int) -> str:
    """The date in Hong Kong."""
    return datetime.fromtimestamp(data_time, HKT).date().isoformat()


def is_restated(before: tuple[BrokerItem, ...], after: tuple[BrokerItem, ...]) -> bool:
    """Whether some total fell, or all rows went."""
    totals = {item.broker_name: item.total_vol or 0 for item in before}
    return bool(before and not after) or any((item.total_vol or 0) < totals.get(item.broker_name, 0) for item in after)


def test_every_code_tells_exactly_the_expected_events(run: Run) -> None:
    """For each code, the kinds of its events are those its answers call for, one by one."""
    for code in [*CODES, ADDED]:
        answers = [answer for answer in run.answers if answer.code == code]
        assert [event.kind for event in run.tape[code]] == expected_kinds(answers, run.flushed_ms)
    kinds = Counter(event.kind for events in run.tape.values() for event in events)
    assert kinds["change"] > 200
    assert kinds["rollover"] == len(CODES) + len({*CODES, ADDED} - {REMOVED})  # into Wednesday, into Thursday
    assert kinds["baseline"] == 2 * (len(CODES) + 1) - 1
    assert kinds["correction"] >= 1
    assert "correction" in {event.kind for event in run.tape[RESTATED]}


def test_the_flush_restarts_every_code_in_a_higher_epoch(run: Run) -> None:
    """rolled_back for what this publisher had written; the removed code is not heard of again."""
    for code in set(CODES) - {REMOVED}:
        baselines = [event.data for event in run.tape[code] if event.kind == "baseline"]
        assert [data.reason for data in baselines] == ["first_seen", "rolled_back"]
        assert baselines[0].epoch < baselines[1].epoch
    assert max(event.data.observed_at for event in run.tape[REMOVED]) < market_moment(WEDNESDAY, 15.51 * HOUR) * 1000


def test_numbering_has_no_gap_and_no_repeat(run: Run) -> None:
    """seq counts from 1 in each epoch, prev_seq names the one before, since lies before observed_at."""
    for events in run.tape.values():
        seq_by_epoch: dict[int, int] = {}
        for data in (event.data for event in events):
            assert data.seq == seq_by_epoch.get(data.epoch, 0) + 1
            assert data.prev_seq == (data.seq - 1 or None)
            assert data.since is None or data.since < data.observed_at <= data.published_at
            seq_by_epoch[data.epoch] = data.seq


def test_the_failing_code_is_suspended_and_recovers(run: Run) -> None:
    """A status both ways, and an hour of failures costs few requests."""
    states = [event.data.state for event in run.feed if event.data.name == FAILING]
    assert states == ["suspended", "recovered"]
    failed = [answer for answer in run.answers if answer.code == FAILING and answer.reply.table is None]
    assert 3 <= len(failed) <= 70


def test_the_market_is_followed(run: Run) -> None:
    """Open, lunch and closed are said once each; polling rests while the market does."""
    states = [event.data.state for event in run.feed if event.data.scope == "market"]
    assert states == ["closed", "open", "lunch", "open", "closed", "open", "closed"]
    at_lunch = [
        answer
        for answer in run.answers
        if market_moment(WEDNESDAY, 12.2 * HOUR) < answer.received_ms / 1000 < market_moment(WEDNESDAY, 13 * HOUR)
    ]
    assert len(at_lunch) <= 4 * (len(CODES) + 1)


def test_the_last_state_is_the_gateways(run: Run) -> None:
    """The last event's hash is that of the last answer's rows, seen through the whole pipe."""
    for code in set(CODES) - {REMOVED} | {ADDED}:
        last = next(a for a in reversed(run.answers) if a.code == code and a.reply.table is not None)
        assert last.reply.table is not None
        names = [item.broker_name for item in last.reply.table.brokers]
        data = run.tape[code][-1].data
        assert data.list.buy_rows + data.list.sell_rows == len(names)
