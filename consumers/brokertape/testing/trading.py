"""Brokers that trade as a test says, and what polls of their list find. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from brokertape.tape.diff import diff
from brokertape.tape.events import BaselineData, ChangeData, Closing, RolloverData, TapeData, TapeEvent, tape_event
from brokertape.tape.market_time import trading_date_of
from brokertape.tape.rows import LISTED_PER_SIDE, ListView, Row, Side, hash_rows


@dataclass(slots=True)
class _Traded:
    """One broker's trading since the open, in shares and HKD."""

    bought: int = 0
    sold: int = 0
    turnover: float = 0.0

    @property
    def net_vol(self) -> int:
        return self.bought - self.sold


class Trading:
    """The trading of one code, and the events that polling it makes."""

    def __init__(self, code: str, source: str, epoch: int) -> None:
        self._code = code
        self._source = source
        self._epoch = epoch
        self._seq = 0
        self._rows: tuple[Row, ...] = ()
        self._polled_at: int | None = None
        self._traded: dict[str, _Traded] = {}
        self._date = ""

    def trade(self, broker_name: str, *, bought: int, sold: int, price: float, now_ms: int) -> None:
        """A broker buys and sells (shares) at `price` (HKD); totals count from the first trade of the date."""
        if min(bought, sold) < 0 or bought + sold == 0 or not price > 0:
            raise ValueError(f"bought = {bought}, sold = {sold}, price = {price}: use shares and a price above 0")
        if (date := trading_date_of(now_ms / 1000)) != self._date:
            self._date, self._traded = date, {}
        traded = self._traded.setdefault(broker_name, _Traded())
        traded.bought += bought
        traded.sold += sold
        traded.turnover += (bought + sold) * price

    def poll(self, now_ms: int) -> TapeEvent | None:
        """What a poll at `now_ms` finds: a baseline, a rollover, or what changed; None if nothing did."""
        rows = self._list()
        polled_at = self._polled_at
        is_new_date = polled_at is not None and trading_date_of(polled_at / 1000) != self._date
        if polled_at is not None and rows == self._rows and not is_new_date:
            return None
        self._seq += 1
        event = tape_event(self._source, self._data(rows, now_ms, is_new_date=is_new_date))
        self._rows, self._polled_at = rows, now_ms
        return event

    def _data(self, rows: tuple[Row, ...], now_ms: int, *, is_new_date: bool) -> TapeData:
        common = self._common(rows, now_ms)
        if self._polled_at is None:
            return BaselineData(**common, reason="first_seen", rows=rows)
        if not is_new_date:
            return ChangeData(**common, changes=diff(self._rows, rows, ()))
        stamp = self._polled_at // 1000
        closing = Closing(trading_date=trading_date_of(stamp), data_time=stamp, rows=self._rows)
        return RolloverData(**common, closing=closing, rows=rows)

    def _common(self, rows: tuple[Row, ...], now_ms: int) -> dict[str, Any]:
        """What every event carries."""
        return {
            "code": self._code,
            "epoch": self._epoch,
            "seq": self._seq,
            "prev_seq": self._seq - 1 or None,
            "trading_date": trading_date_of(now_ms / 1000),
            "data_time": now_ms // 1000,
            "since": self._polled_at,
            "observed_at": now_ms,
            "published_at": now_ms,
            "list": ListView.of(rows),
            "hash": hash_rows(rows),
        }

    def _list(self) -> tuple[Row, ...]:
        """Ten net buyers and ten net sellers, the largest first; who is even stands on neither side."""
        by_net = sorted(self._traded.items(), key=lambda item: item[1].net_vol)
        sellers = [item for item in by_net if item[1].net_vol < 0]
        buyers = [item for item in reversed(by_net) if item[1].net_vol > 0]
        return (*_side("buy", buyers), *_side("sell", sellers))


def _side(side: Side, traded: Iterable[tuple[str, _Traded]]) -> Iterable[Row]:
    for rank, (name, one) in enumerate(list(traded)[:LISTED_PER_SIDE], start=1):
        total_vol = one.bought + one.sold
        yield Row(
            rank=rank,
            side=side,
            broker_name=name,
            net_vol=one.net_vol,
            avg_price=round(one.turnover / total_vol, 9),
            total_vol=float(total_vol),
            total_turnover=one.turnover,
        )
