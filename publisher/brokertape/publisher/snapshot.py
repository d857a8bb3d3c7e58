"""One answered poll as the tape sees it: validated rows, ranked, with its stamps."""

import math
from dataclasses import dataclass
from typing import overload

from brokertape.gateway.values import BrokerItem, BuySellType, TopTenBrokers
from brokertape.tape.rows import Row, Side


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The gateway's answer to one poll.

    `asked_at` is when the request was sent, `observed_at` when the reply arrived (ms since 1970, our clock);
    `data_time` is the gateway's update stamp (s), None when it gave none.
    """

    code: str
    asked_at: int
    observed_at: int
    data_time: int | None
    rows: tuple[Row, ...]

    @classmethod
    def of(cls, table: TopTenBrokers, asked_at: int, observed_at: int) -> "Snapshot":
        """The snapshot of a real-time table, its rows ranked from 1 on each side in the gateway's order."""
        sides = [(_side(item), item) for item in table.brokers]
        rows = tuple(
            _row(side, rank, item)
            for wanted in ("buy", "sell")
            for rank, (side, item) in enumerate((pair for pair in sides if pair[0] == wanted), start=1)
        )
        return cls(table.code, asked_at, observed_at, table.data_time or None, rows)


def _side(item: BrokerItem) -> Side:
    """The table a broker stands in: as the gateway says, else by the sign of its net volume."""
    if item.buy_sell_type is not None:
        return "sell" if item.buy_sell_type is BuySellType.NET_SELL else "buy"
    return "sell" if item.net_vol is not None and item.net_vol < 0 else "buy"


def _row(side: Side, rank: int, item: BrokerItem) -> Row:
    return Row(
        rank=rank,
        side=side,
        broker_name=item.broker_name,
        net_vol=item.net_vol,
        avg_price=_finite(item.avg_price),
        total_vol=_finite(item.total_vol),
        total_turnover=_finite(item.total_turnover),
    )


@overload
def _finite(number: None) -> None: ...
@overload
def _finite(number: float) -> float | None: ...
def _finite(number: float | None) -> float | None:
    """JSON knows no NaN and no infinity: such a number is as good as left out."""
    return number if number is not None and math.isfinite(number) else None
