"""A week of the simulated market as a publisher would have told it, and the gateway's past days after it.

Every run gives the same events. One code is restated on Wednesday; on Thursday another one begins a second epoch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from brokertape.publisher.snapshot import Snapshot
from brokertape.publisher.step import Append, Base, Drop, next_step
from brokertape.simulator.instruments import KNOWN
from brokertape.simulator.market_model import MarketModel, MarketSettings, Restatement
from brokertape.simulator.trading_calendar import market_moment
from brokertape.tape.events import HistoryEvent, TapeEvent
from support.storages import past_day

MONDAY = date(2026, 5, 4)
DAYS = [MONDAY + timedelta(days) for days in range(5)]
NEXT_MONDAY = MONDAY + timedelta(7)
CODES = [instrument.code for instrument in KNOWN[:4]]
RESTATED, RESTARTED = CODES[1], CODES[2]
HOUR = 3600.0
POLL_EVERY_S = 300.0


@dataclass(frozen=True)
class Week:
    """What is on the tape, in the order in which it was observed, and on the history stream."""

    events: tuple[TapeEvent, ...]
    past_days: tuple[HistoryEvent, ...]


@cache
def simulated_week() -> Week:
    """The week, lived once a process. Its last rollover is that of the Monday after it."""
    market = MarketModel(_settings(), market_moment(MONDAY, 9 * HOUR))
    events = tuple(_events(market))
    now_s = market_moment(NEXT_MONDAY, 10 * HOUR)
    return Week(events, tuple(_past_day(market, code, n, now_s) for code in CODES for n in range(1, 6)))


def _settings() -> MarketSettings:
    restated = Restatement(RESTATED, market_moment(DAYS[2], 14 * HOUR))
    return MarketSettings(instruments=KNOWN[:4], trades_per_s=0.05, restatements=(restated,))


def _events(market: MarketModel) -> Iterator[TapeEvent]:
    """One code after the other is polled, all of them every five minutes."""
    bases = {code: Base(None) for code in CODES}
    for now_s in _rounds():
        market.advance(now_s)
        if now_s == market_moment(DAYS[3], 11 * HOUR):
            held = bases[RESTARTED].book
            assert held is not None
            bases[RESTARTED] = Base(held, restart="server_changed", epoch_floor=held.epoch)
        for number, code in enumerate(CODES):
            asked_at = round(now_s * 1000) + 1000 * number
            snapshot = Snapshot.of(market.table(code), asked_at, asked_at + 20)
            step = next_step(bases[code], snapshot, commit="c", source="/opend/test", now=asked_at + 21)
            assert not isinstance(step, Drop)
            bases[code] = Base(step.book)
            if isinstance(step, Append):
                yield step.event


def _rounds() -> Iterator[float]:
    for day in DAYS:
        begin_s = market_moment(day, 9.5 * HOUR)
        yield from (begin_s + number * POLL_EVERY_S for number in range(82))  # to a quarter past four
    yield market_moment(NEXT_MONDAY, 10 * HOUR)


def _past_day(market: MarketModel, code: str, days_before: int, now_s: float) -> HistoryEvent:
    market.advance(now_s)
    rows = Snapshot.of(market.table(code, days_before), 0, 0).rows
    return past_day(code, DAYS[-days_before].isoformat(), rows)
