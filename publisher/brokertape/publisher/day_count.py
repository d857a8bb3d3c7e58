"""What `days_before` means: which trading date the gateway's answer is of. Pure.

The one place for what its documents leave open (?): from when on a trading day is the one that days are counted back
from, and when its list is final. An answer that carries its own stamp needs none of these guesses.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time

from brokertape.gateway.values import TopTenBrokers
from brokertape.tape.market_time import trading_date_of

CURRENT_FROM = time(9, 0)  # (?) before its pre-open days are counted back from the trading day before
SURE_FROM = time(9, 30)  # nobody counts from another day than today while today trades
LARGEST_SHIFT = 1  # an answer further from the day that was asked for says something of its code, not of the count


@dataclass(frozen=True, slots=True)
class Undated:
    """An answer that cannot be put under a date. `is_general`: any other answer without a stamp cannot either."""

    reason: str
    is_general: bool = False


@dataclass(frozen=True, slots=True)
class DayCount:
    """Which date lies n trading days before the current one.

    `dates` are the trading days up to `moment`, the oldest first; `assumed` is where in them the current day stands.
    The stamps of answers correct that: `votes` holds, code by code, by how many days the last of them disagreed.
    """

    moment: datetime
    dates: Sequence[str]
    assumed: int
    is_sure: bool
    votes: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def at(cls, dates: Sequence[str], moment: datetime) -> "DayCount":
        """The count at a moment in market time; `dates` may go on after it."""
        today = moment.date().isoformat()
        known = tuple(dates[: bisect_right(dates, today)])
        trades_today = known[-1:] == (today,)
        is_early = trades_today and moment.time() < CURRENT_FROM
        return cls(moment, known, len(known) - 1 - is_early, is_sure=trades_today and moment.time() >= SURE_FROM)

    @property
    def today(self) -> str:
        """The calendar date, in market time."""
        return self.moment.date().isoformat()

    @property
    def is_certain(self) -> bool:
        """Whether an answer without a stamp can be dated."""
        return self.is_sure or bool(self.votes)

    @property
    def shift(self) -> int:
        """By how many trading days the current day lies behind the assumed one, as most codes have it."""
        counts = Counter(self.votes.values())
        return max(counts, key=lambda shift: (counts[shift], shift == 0)) if counts else 0

    def date(self, days_before: int) -> str | None:
        """The trading date `days_before` days back; None before the calendar's first."""
        place = self.assumed + self.shift - days_before
        return self.dates[place] if 0 <= place < len(self.dates) else None

    def is_same_day(self, other: "DayCount") -> bool:
        """Whether days are counted back from the same one, as far as can be known without asking."""
        return (self.today, self.assumed, self.is_sure) == (other.today, other.assumed, other.is_sure)

    def reach(self, days: int) -> Sequence[str]:
        """The dates that up to `days` days before may be, whichever day they are counted back from."""
        return self.dates[max(0, self.assumed - days - LARGEST_SHIFT) : self.assumed + LARGEST_SHIFT]

    def date_of(self, days_before: int, table: TopTenBrokers, moment: datetime, final_at: time) -> str | Undated:
        """The trading date of an answer that came at `moment`: by its own stamp, else by the count if that is certain.

        A list is taken for final when its day is over, or from `final_at` on.
        """
        if table.is_real_time:
            return Undated("the gateway gave the live list for a past day")
        stamp = table.data_time
        date = self._counted(days_before) if stamp is None else self._stamped(stamp, moment)
        if isinstance(date, str) and date == moment.date().isoformat() and moment.time() < final_at:
            return Undated(f"the list of {date} is not final before {final_at:%H:%M}")
        return date

    def voted(self, code: str, days_before: int, date: str) -> "DayCount":
        """The count after an answer for `code` was stamped with the trading day `date`."""
        shift = bisect_left(self.dates, date) + days_before - self.assumed
        return replace(self, votes={**self.votes, code: shift}) if abs(shift) <= LARGEST_SHIFT else self

    def trading_days_between(self, earlier: str, later: str) -> int:
        """How many trading days began after `earlier`, up to and with `later`."""
        return bisect_right(self.dates, later) - bisect_right(self.dates, earlier)

    def _counted(self, days_before: int) -> str | Undated:
        date = self.date(days_before)
        if date is None or not self.is_certain:
            return Undated("past lists carry no stamp here: ask between the open and midnight of a trading day", True)
        return date

    def _stamped(self, data_time: int, moment: datetime) -> str | Undated:
        """What is updated on a day without trading belongs to the trading day before."""
        date = trading_date_of(data_time)
        place = bisect_right(self.dates, date)
        if date > moment.date().isoformat() or place == 0:
            return Undated(f"its stamp {data_time} ({date}) cannot be")
        return self.dates[place - 1]
