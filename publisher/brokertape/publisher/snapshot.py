"""One answered poll as the tape sees it: validated rows, ranked, with its stamps."""

from dataclasses import dataclass

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
        sides: dict[Side, list[BrokerItem]] = {"buy": [], "sell": []}
        for item in table.brokers:
            sides[_side(item)].append(item)
        rows = [_row(side, rank, item) for side, items in sides.items() for rank, item in enumerate(items, start=1)]
        return cls(table.code, asked_at, observed_at, table.data_time or None, tuple(rows))


def _side(item: BrokerItem) -> Side:
    """The table a broker stands in: as the gateway says, else by the sign of its net volume."""
    if item.buy_sell_type is not None:
        return "sell" if item.buy_sell_type is BuySellType.NET_SELL else "buy"
    return "sell" if item.net_vol is not None and item.net_vol < 0 else "buy"


def _row(side: Side, rank: int, item: BrokerItem) -> Row:
    return Row(rank, side, item.broker_name, item.net_vol, item.avg_price, item.total_vol, item.total_turnover)
