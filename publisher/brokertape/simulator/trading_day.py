"""One code on one day: trades between two brokers at moments and prices drawn from the day's own random numbers.

A day is a function of its seed, its code and its date alone, and of no earlier day: the same moment always shows the
same table, in a process started a minute ago or yesterday.
"""

from bisect import bisect
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from math import exp, inf, sin
from random import Random

from brokertape.gateway.values import TopTenBrokers
from brokertape.simulator.broker_book import BrokerBook, Trade
from brokertape.simulator.broker_names import BROKER_NAMES
from brokertape.simulator.day_profile import DayProfile
from brokertape.simulator.instruments import Instrument, price_step_mills
from brokertape.simulator.late_list import LateList
from brokertape.simulator.market import Quote
from brokertape.simulator.trading_calendar import PRE_OPEN_S, market_moment

_MOST_LOTS = 200
_PULL_TO_BASE = 8.0  # how much likelier a step back is, per relative distance from the day's first price
_MOODS_A_DAY = 8  # how often brokers change between buying and selling, so that some turn from one list to the other


@dataclass(frozen=True, slots=True)
class DayPlan:
    """What is settled about a code's day before it begins.

    `trades` are expected, not counted; no trade happens from a suspension's first moment to before its second;
    totals are restated at the moments of `restated_at_s`. The list shows a trade after a lag between the two of
    `list_lag_s`, in s.
    """

    instrument: Instrument
    day: date
    seed: str
    profile: DayProfile
    trades: float
    broker_count: int
    suspensions: Sequence[tuple[float, float]] = ()
    restated_at_s: Sequence[float] = ()
    list_lag_s: tuple[float, float] = (0.0, 0.0)
    has_repeated_name: bool = False
    has_empty_name: bool = False


class TradingDay:
    """The trading of one code on one day, up to the moment it was last advanced to.

    `book` has every trade at once and the quote is of it; `listed_book` is what the list shows of it.
    """

    def __init__(self, plan: DayPlan) -> None:
        instrument = plan.instrument
        self._plan = plan
        self._random = Random(f"{plan.seed}/{instrument.code}/{plan.day}")
        self.book = BrokerBook(_broker_names(plan), instrument.lot_size)
        self._first_mills = _first_price(plan)
        self._price_mills = self._open_mills = self._high_mills = self._low_mills = self._first_mills
        self._step_mills = price_step_mills(self._first_mills)
        self._now_s = self._updated_s = market_moment(plan.day, PRE_OPEN_S)
        self._midnight_s = market_moment(plan.day, 0)
        self._late_list = self._new_late_list()
        self._restate_at_s = deque(sorted(plan.restated_at_s))
        self._share = 0.0
        self._change_moods()
        self._next_s = self._draw_next()

    def advance(self, to_s: float) -> None:
        """Trade up to and including `to_s`."""
        while self._restate_at_s and self._restate_at_s[0] <= to_s:
            at_s = self._restate_at_s.popleft()
            self._trade_until(at_s)
            self._restate(at_s)
        self._trade_until(to_s)
        if self._late_list is not None:
            self._late_list.advance(to_s)
        self._now_s = max(self._now_s, to_s)

    @property
    def listed_book(self) -> BrokerBook:
        """The trades that the list shows."""
        return self.book if self._late_list is None else self._late_list.book

    def table(self) -> TopTenBrokers:
        """The top ten that the list shows now."""
        updated_s = self._updated_s if self._late_list is None else self._late_list.updated_s
        return TopTenBrokers(
            self._plan.instrument.code,
            is_real_time=True,
            data_time=int(updated_s),
            brokers=self.listed_book.top_ten(),
        )

    def quote(self) -> Quote:
        """The quote now."""
        return Quote(
            code=self._plan.instrument.code,
            updated_s=self._updated_s,
            is_suspended=self._is_suspended(self._now_s),
            last_close_price=self._first_mills / 1000,
            open_price=self._open_mills / 1000,
            high_price=self._high_mills / 1000,
            low_price=self._low_mills / 1000,
            cur_price=self._price_mills / 1000,
            price_spread=price_step_mills(self._price_mills) / 1000,
            volume=self.book.volume,
            turnover=self.book.turnover_mills / 1000,
            is_delisted=self._plan.instrument.is_delisted,
        )

    def _trade_until(self, to_s: float) -> None:
        while self._next_s <= to_s:
            if not self._is_suspended(self._next_s):
                self._trade(self._next_s)
            self._next_s = self._draw_next()

    def _trade(self, at_s: float) -> None:
        random = self._random
        count = len(self._buyer_edges)
        buyer = min(bisect(self._buyer_edges, random.random()), count - 1)
        seller = min(bisect(self._seller_edges, random.random()), count - 1)
        if buyer == seller:  # a broker that crosses its own clients' orders moves no net volume: not worth showing
            seller = (seller + 1) % count
        lots = min(int(random.paretovariate(1.2)), _MOST_LOTS)
        self._move_price()
        self.book.trade(buyer, seller, lots, self._price_mills)
        self._updated_s = at_s
        if self._late_list is not None:
            self._late_list.follow(Trade(buyer, seller, lots, self._price_mills), at_s)

    def _restate(self, at_s: float) -> None:
        taken_back = self.book.restate()
        if taken_back is None:
            return
        self._updated_s = at_s
        if self._late_list is not None:
            self._late_list.take_back(taken_back, at_s)

    def _new_late_list(self) -> LateList | None:
        """None for a list without a lag, which needs no second book."""
        plan = self._plan
        if max(plan.list_lag_s) <= 0:
            return None
        book = BrokerBook(self.book.broker_names, plan.instrument.lot_size)
        return LateList(book, plan.list_lag_s, f"{plan.seed}/{plan.instrument.code}/{plan.day}/lag", self._now_s)

    def _move_price(self) -> None:
        draw = self._random.random()
        pull = _PULL_TO_BASE * (self._price_mills / self._first_mills - 1)
        if draw < 0.2 - pull:
            self._price_mills += self._step_mills
        elif draw > 0.8 - pull and self._price_mills > self._step_mills:
            self._price_mills -= self._step_mills
        self._high_mills = max(self._high_mills, self._price_mills)
        self._low_mills = min(self._low_mills, self._price_mills)

    def _draw_next(self) -> float:
        if self._plan.trades <= 0:
            return inf
        self._share += self._random.expovariate(self._plan.trades)
        if self._share >= 1:
            return inf
        if self._share >= self._moods_end_share:
            self._change_moods()
        return self._midnight_s + self._plan.profile.second_of(self._share)

    def _is_suspended(self, at_s: float) -> bool:
        return any(from_s <= at_s < until_s for from_s, until_s in self._plan.suspensions)

    def _change_moods(self) -> None:
        self._moods_end_share = self._share + 1 / _MOODS_A_DAY
        self._buyer_edges = self._activity_edges()
        self._seller_edges = self._activity_edges()

    def _activity_edges(self) -> list[float]:
        """Cumulated chances of the brokers to stand on one side of a trade; heavy-tailed, drawn for each side."""
        count = len(self.book.broker_names)
        weights = [exp(self._random.gauss(0.0, 0.9)) / (rank + 3) for rank in range(count)]
        total = sum(weights)
        return [edge / total for edge in accumulate(weights)]


def _broker_names(plan: DayPlan) -> list[str]:
    """The brokers of a code, the same every day, the well-known first."""
    random = Random(f"{plan.seed}/{plan.instrument.code}/brokers")
    chosen = random.sample(range(len(BROKER_NAMES)), plan.broker_count)
    names = [BROKER_NAMES[place] for place in sorted(chosen)]
    if plan.has_repeated_name:
        names[1] = names[0]
    if plan.has_empty_name:
        names[2] = ""
    return names


def _first_price(plan: DayPlan) -> int:
    """Where the day's price starts: near the security's own, a little elsewhere every day."""
    random = Random(f"{plan.seed}/{plan.instrument.code}/price")
    phase, slope = random.uniform(0, 6.28), random.uniform(0.05, 0.2)
    days = plan.day.toordinal()
    mills = plan.instrument.base_mills * (1 + 0.06 * sin(phase + slope * days))
    step = price_step_mills(int(mills))
    return max(round(mills / step), 1) * step
