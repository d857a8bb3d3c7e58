"""A made-up market: heavy-tailed activity over codes and brokers, busy hours, days that roll over. Pure; no clock."""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import date
from math import sqrt

from brokertape.gateway.values import MarketState, TopTenBrokers, TradeDate
from brokertape.simulator.day_profile import DayProfile
from brokertape.simulator.instruments import KNOWN, Instrument
from brokertape.simulator.market import Quote, past_table
from brokertape.simulator.trading_calendar import TradingCalendar
from brokertape.simulator.trading_day import DayPlan, TradingDay

FEWEST_BROKERS = 40
MOST_BROKERS = 120
MAX_PAST_TABLES = 2_000  # kept, the oldest dropped first; a dropped one is traded again when asked for
_AFTER_EVERY_DAY_S = 1e12


@dataclass(frozen=True, slots=True)
class Suspension:
    """A code does not trade from `from_s` to before `until_s` (s since 1970)."""

    code: str
    from_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class Restatement:
    """At `at_s` (s since 1970) part of a code's trades of the day is taken back."""

    code: str
    at_s: float


@dataclass(frozen=True, slots=True)
class MarketSettings:
    """Everything that shapes a market model.

    The first instrument is the busiest, the n-th gets 1/n of its trades. `trades_per_s` is the mean over all codes
    and the trading hours; some four fifths of the trades change a visible list. A list shows each trade after a lag
    drawn uniformly from `list_lag_s` (shortest, longest, in s); prices and volumes show it at once.
    """

    instruments: tuple[Instrument, ...] = KNOWN
    seed: int = 1
    trades_per_s: float = 3.0
    calendar: TradingCalendar = field(default_factory=TradingCalendar)
    suspensions: tuple[Suspension, ...] = ()
    restatements: tuple[Restatement, ...] = ()
    idle_codes: frozenset[str] = frozenset()
    repeated_name_codes: frozenset[str] = frozenset()
    empty_name_codes: frozenset[str] = frozenset()
    list_lag_s: tuple[float, float] = (0.0, 0.0)


class MarketModel:
    """A `Market` in which the same settings show the same tables at the same moment, however time was advanced."""

    def __init__(self, settings: MarketSettings, begin_s: float) -> None:
        self._settings = settings
        self._instruments = {instrument.code: instrument for instrument in settings.instruments}
        self._shares = _zipf_shares(list(self._instruments))
        self._profiles = {is_half_day: DayProfile(is_half_day) for is_half_day in (False, True)}
        self._past: OrderedDict[tuple[str, date], TopTenBrokers] = OrderedDict()
        self._now_s = begin_s
        self._open_day(settings.calendar.table_date(begin_s))
        self.advance(begin_s)

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Every security there is."""
        return self._settings.instruments

    @property
    def day(self) -> date:
        """The trading day whose tables show."""
        return self._day

    @property
    def state(self) -> MarketState:
        """The state of the market now."""
        return self._settings.calendar.state_at(self._now_s)

    def advance(self, to_s: float) -> None:
        """Trade up to and including `to_s`; a moment already past changes nothing."""
        self._now_s = max(self._now_s, to_s)
        day = self._settings.calendar.table_date(self._now_s)
        if day != self._day:
            self._open_day(day)
        for trading in self._days.values():
            trading.advance(self._now_s)

    def instrument(self, code: str) -> Instrument | None:
        """The security of a code, None for an unknown one."""
        return self._instruments.get(code)

    def table(self, code: str, days_before: int = 0) -> TopTenBrokers:
        """The top ten of a known code now, or of the n-th trading day before the one that shows now."""
        if days_before == 0:
            return self._days[code].table()
        return self._past_table(code, self._settings.calendar.days_before(self._day, days_before))

    def trading_day(self, code: str) -> TradingDay:
        """Everything about a known code today, brokers and trades that are not listed included."""
        return self._days[code]

    def quote(self, code: str) -> Quote:
        """The quote of a known code now."""
        return self._days[code].quote()

    def trade_dates(self, begin: date, end: date) -> list[TradeDate]:
        """The trading days from `begin` to `end`, both included."""
        return self._settings.calendar.trade_dates(begin, end)

    def _open_day(self, day: date) -> None:
        self._day = day
        self._days = {code: TradingDay(self._plan(code, day)) for code in self._instruments}

    def _past_table(self, code: str, day: date) -> TopTenBrokers:
        """A day is the same whenever it is traded, so a past one is traded when somebody first asks for it."""
        if (code, day) not in self._past:
            trading = TradingDay(self._plan(code, day))
            trading.advance(_AFTER_EVERY_DAY_S)
            self._past[code, day] = past_table(trading.table())
            if len(self._past) > MAX_PAST_TABLES:
                self._past.popitem(last=False)
        return self._past[code, day]

    def _plan(self, code: str, day: date) -> DayPlan:
        settings, share = self._settings, self._shares[code]
        profile, instrument = self._profiles[day in settings.calendar.half_days], self._instruments[code]
        is_idle = code in settings.idle_codes or instrument.is_delisted or not instrument.has_broker_table
        return DayPlan(
            instrument=instrument,
            day=day,
            seed=str(settings.seed),
            profile=profile,
            trades=0.0 if is_idle else settings.trades_per_s * profile.trading_s * share,
            broker_count=self._broker_count(share),
            suspensions=[(halt.from_s, halt.until_s) for halt in settings.suspensions if halt.code == code],
            restated_at_s=self._restated_at_s(code, day),
            list_lag_s=settings.list_lag_s,
            has_repeated_name=code in settings.repeated_name_codes,
            has_empty_name=code in settings.empty_name_codes,
        )

    def _restated_at_s(self, code: str, day: date) -> list[float]:
        table_date = self._settings.calendar.table_date
        moments = (restatement.at_s for restatement in self._settings.restatements if restatement.code == code)
        return [at_s for at_s in moments if table_date(at_s) == day]

    def _broker_count(self, share: float) -> int:
        relative = sqrt(share / max(self._shares.values()))
        return round(FEWEST_BROKERS + (MOST_BROKERS - FEWEST_BROKERS) * relative)


def _zipf_shares(codes: list[str]) -> dict[str, float]:
    total = sum(1 / rank for rank in range(1, len(codes) + 1))
    return {code: 1 / rank / total for rank, code in enumerate(codes, 1)}
