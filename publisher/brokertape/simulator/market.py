"""What the simulated gateway serves: the one interface of the market model and of fixed tables, and its values."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

from brokertape.gateway.values import DELISTED, BrokerItem, MarketState, TopTenBrokers, TradeDate
from brokertape.simulator.instruments import Instrument

NORMAL = 1
SUSPENDED = 9


@dataclass(frozen=True, slots=True)
class Quote:
    """The quote of one code: prices in HKD, running totals of its day, `updated_s` in s since 1970."""

    code: str
    updated_s: float
    is_suspended: bool
    last_close_price: float
    open_price: float
    high_price: float
    low_price: float
    cur_price: float
    price_spread: float
    volume: int
    turnover: float
    is_delisted: bool = False

    @property
    def sec_status(self) -> int:
        """What the gateway calls SecurityStatus."""
        if self.is_delisted:
            return DELISTED
        return SUSPENDED if self.is_suspended else NORMAL

    @property
    def amplitude(self) -> float:
        """The day's range in percent of the last close."""
        if self.last_close_price <= 0:
            return 0.0
        return (self.high_price - self.low_price) / self.last_close_price * 100


class Market(Protocol):
    """A market at a moment. No clock: `advance` says what time it is, in s since 1970."""

    @property
    def instruments(self) -> Sequence[Instrument]:
        """Every security there is."""

    @property
    def state(self) -> MarketState:
        """The state of the market now."""

    def advance(self, to_s: float) -> None:
        """Let time pass; a moment already past changes nothing."""

    def instrument(self, code: str) -> Instrument | None:
        """The security of a code, None for an unknown one."""

    def table(self, code: str, days_before: int = 0) -> TopTenBrokers:
        """The top ten of a known code now, or of the n-th trading day before the one that shows now."""

    def quote(self, code: str) -> Quote:
        """The quote of a known code now."""

    def trade_dates(self, begin: date, end: date) -> list[TradeDate]:
        """The trading days from `begin` to `end`, both included."""


def past_table(table: TopTenBrokers) -> TopTenBrokers:
    """`table` as the gateway gives it for a past day: net volume, name and side only."""
    return TopTenBrokers(
        table.code,
        is_real_time=False,
        data_time=table.data_time,
        brokers=tuple(_past_item(item) for item in table.brokers),
    )


def _past_item(item: BrokerItem) -> BrokerItem:
    return replace(item, avg_price=None, total_vol=None, total_turnover=None)
