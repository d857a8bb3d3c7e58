"""When the lists of a simulated market truly changed, and how long after that somebody was shown each change.

A simulated market is a function of its settings, so one of its own that is never asked anything goes through the same
lists at the same moments: whoever is measured says nothing about when a list changed. What he is shown is found among
the true lists by its content, so neither a poll that found nothing nor a wrong list can pass for a change. All times
are the market's, in s since 1970.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from brokertape.gateway.values import BuySellType, TopTenBrokers
from brokertape.simulator.market_model import MarketModel
from brokertape.simulator.trading_day import TradingDay

STEP_S = 0.02  # a change is dated to the beginning of the step it falls in, so no delay comes out too short

Row = tuple[str, str, int, float, float, float]
Rows = tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A list that reached somebody: rows of (side, broker, net volume, average price, total volume, turnover)."""

    at_s: float
    code: str
    rows: Rows


@dataclass(frozen=True, slots=True)
class Found:
    """A true change, and how long it took until a list with it was shown; None if that did not happen."""

    changed_at_s: float
    delay_s: float | None


class TrueLists:
    """Every list that a market's codes had from the moment it stands at to `until_s`."""

    def __init__(self, market: MarketModel, begin_s: float, until_s: float) -> None:
        self._lists = {
            instrument.code: _lists_of(market.trading_day(instrument.code), begin_s, until_s)
            for instrument in market.instruments
        }

    def find(self, shown: Iterable[Shown]) -> list[Found]:
        """Every change, and when `shown`, in the order of time, first gave it or a later list of its code.

        Raises:
            ValueError: A list was shown that its code did not have after the one shown before.
        """
        by_code = {
            code: list(of_code) for code, of_code in groupby(sorted(shown, key=attrgetter("code")), attrgetter("code"))
        }
        return [found for code, lists in self._lists.items() for found in _found(code, lists, by_code.get(code, []))]


def rows_of(table: TopTenBrokers) -> Rows:
    """The list as it is compared."""
    return tuple(
        (
            "sell" if item.buy_sell_type is BuySellType.NET_SELL else "buy",
            item.broker_name,
            item.net_vol or 0,
            item.avg_price or 0.0,
            item.total_vol or 0.0,
            item.total_turnover or 0.0,
        )
        for item in table.brokers
    )


def _lists_of(day: TradingDay, begin_s: float, until_s: float) -> list[tuple[float, Rows]]:
    """Each list and when it came about; the first is the one that there was at `begin_s`."""
    lists = [(begin_s, rows_of(day.table()))]
    volume = day.listed_book.volume
    for step in range(1, round((until_s - begin_s) / STEP_S) + 1):
        day.advance(begin_s + step * STEP_S)
        if day.listed_book.volume == volume:
            continue
        volume, rows = day.listed_book.volume, rows_of(day.table())
        if rows != lists[-1][1]:  # most trades show; those between brokers that are not listed do not
            lists.append((begin_s + (step - 1) * STEP_S, rows))
    return lists


def _found(code: str, lists: Sequence[tuple[float, Rows]], shown: Sequence[Shown]) -> list[Found]:
    places: list[int] = []
    for one in shown:
        places.append(_place_of(code, lists, one, places[-1] if places else 0))
    return [Found(at_s, _delay_s(at_s, place, places, shown)) for place, (at_s, _) in enumerate(lists) if place > 0]


def _place_of(code: str, lists: Sequence[tuple[float, Rows]], shown: Shown, after: int) -> int:
    """A list that came back is taken for its first time: the change back then counts as not yet seen."""
    for place in range(after, len(lists)):
        if lists[place][1] == shown.rows:
            return place
    raise ValueError(f"{code} was shown at {shown.at_s:.3f} with rows it did not have after those before")


def _delay_s(at_s: float, place: int, places: Sequence[int], shown: Sequence[Shown]) -> float | None:
    first = bisect_left(places, place)
    return shown[first].at_s - at_s if first < len(shown) else None
