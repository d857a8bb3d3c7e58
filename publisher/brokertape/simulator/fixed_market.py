"""A market whose tables are given, not traded: for serving an exact answer."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from brokertape.gateway.values import MarketState, TopTenBrokers, TradeDate
from brokertape.simulator.instruments import Instrument
from brokertape.simulator.market import Quote
from brokertape.simulator.trading_calendar import TradingCalendar


class FixedMarket:
    """A `Market` that shows what it was last told; time changes nothing in it.

    A code without a table shows an empty one without a data time, a code without a quote one of zeros.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        *,
        state: MarketState = MarketState.MORNING,
        calendar: TradingCalendar | None = None,
    ) -> None:
        self.instruments = tuple(instruments)
        self.state = state
        self._calendar = calendar or TradingCalendar()
        self._instruments = {instrument.code: instrument for instrument in instruments}
        self._tables: dict[tuple[str, int], TopTenBrokers] = {}
        self._quotes: dict[str, Quote] = {}

    def show_table(self, table: TopTenBrokers, days_before: int = 0) -> None:
        """Show `table`, exactly, from now on."""
        self._tables[table.code, days_before] = table

    def show_quote(self, quote: Quote) -> None:
        """Show `quote` from now on."""
        self._quotes[quote.code] = quote

    def advance(self, to_s: float) -> None:
        """Time changes nothing."""

    def instrument(self, code: str) -> Instrument | None:
        """The security of a code, None for an unknown one."""
        return self._instruments.get(code)

    def table(self, code: str, days_before: int = 0) -> TopTenBrokers:
        """What was told for the code and day."""
        empty = TopTenBrokers(code, is_real_time=days_before == 0, data_time=None, brokers=())
        return self._tables.get((code, days_before), empty)

    def quote(self, code: str) -> Quote:
        """What was told for the code."""
        return self._quotes.get(code) or replace(_NO_QUOTE, code=code)

    def trade_dates(self, begin: date, end: date) -> list[TradeDate]:
        """The trading days from `begin` to `end`, both included."""
        return self._calendar.trade_dates(begin, end)


_NO_QUOTE = Quote(
    code="",
    updated_s=0.0,
    is_suspended=False,
    last_close_price=0.0,
    open_price=0.0,
    high_price=0.0,
    low_price=0.0,
    cur_price=0.0,
    price_spread=0.0,
    volume=0,
    turnover=0.0,
)
