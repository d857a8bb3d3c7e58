"""What every broker bought and sold of one code on one day, and the top-ten table that shows of it."""

from collections.abc import Sequence
from typing import NamedTuple

from brokertape.gateway.values import BrokerItem, BuySellType

LISTED_PER_SIDE = 10


class Trade(NamedTuple):
    """One broker buys of another; negative `lots` take a trade back. The price is in thousandths of HKD."""

    buyer: int
    seller: int
    lots: int
    price_mills: int


class BrokerBook:
    """The positions of one code. Kept in lots and thousandths of HKD: whole numbers, so that sums are exact."""

    def __init__(self, broker_names: Sequence[str], lot_size: int) -> None:
        self.broker_names = tuple(broker_names)
        self.volume = 0  # shares traded
        self.turnover_mills = 0
        self._lot_size = lot_size
        self._bought = [0] * len(broker_names)
        self._sold = [0] * len(broker_names)
        self._turnover_mills = [0] * len(broker_names)
        self._top_ten: tuple[BrokerItem, ...] | None = None  # of all trades so far, once somebody has asked

    def trade(self, buyer: int, seller: int, lots: int, price_mills: int) -> None:
        """One broker buys of another; negative `lots` take a trade back."""
        shares = lots * self._lot_size
        turnover_mills = shares * price_mills
        self._bought[buyer] += lots
        self._sold[seller] += lots
        self._turnover_mills[buyer] += turnover_mills
        self._turnover_mills[seller] += turnover_mills
        self.volume += shares
        self.turnover_mills += turnover_mills
        self._top_ten = None

    def restate(self) -> Trade | None:
        """Take back half of what the first listed buyer may have bought of the first listed seller, and give that.

        Net volumes, totals and turnover of both go down, as no trading can do it. None: there was nothing to take.
        """
        ranked = self._ranked()
        buyer, seller = ranked[0], ranked[-1]
        lots = min(self._bought[buyer], self._sold[seller]) // 2
        if lots == 0:
            return None
        # At the lower average neither is left with volume that cost nothing.
        taken_back = Trade(buyer, seller, -lots, min(self._average_mills(buyer), self._average_mills(seller)))
        self.trade(*taken_back)
        return taken_back

    def net_vol(self, broker: int) -> int:
        """Shares bought less shares sold."""
        return (self._bought[broker] - self._sold[broker]) * self._lot_size

    def total_vol(self, broker: int) -> int:
        """Shares bought and sold."""
        return (self._bought[broker] + self._sold[broker]) * self._lot_size

    def top_ten(self) -> tuple[BrokerItem, ...]:
        """The ten largest net buyers, largest first, then the ten largest net sellers; who is even is not listed."""
        if self._top_ten is None:  # a list is asked for much more often than it changes
            self._top_ten = self._list_top_ten()
        return self._top_ten

    def _list_top_ten(self) -> tuple[BrokerItem, ...]:
        ranked = self._ranked()
        buyers = [broker for broker in ranked[:LISTED_PER_SIDE] if self.net_vol(broker) > 0]
        sellers = [broker for broker in ranked[: -LISTED_PER_SIDE - 1 : -1] if self.net_vol(broker) < 0]
        return (
            *(self._item(broker, BuySellType.NET_BUY) for broker in buyers),
            *(self._item(broker, BuySellType.NET_SELL) for broker in sellers),
        )

    def _ranked(self) -> list[int]:
        nets = [bought - sold for bought, sold in zip(self._bought, self._sold, strict=True)]
        return sorted(range(len(nets)), key=nets.__getitem__, reverse=True)

    def _average_mills(self, broker: int) -> int:
        return self._turnover_mills[broker] // max(self.total_vol(broker), 1)

    def _item(self, broker: int, side: BuySellType) -> BrokerItem:
        total_vol = float(self.total_vol(broker))
        total_turnover = self._turnover_mills[broker] / 1000
        return BrokerItem(
            broker_name=self.broker_names[broker],
            buy_sell_type=side,
            net_vol=self.net_vol(broker),
            avg_price=round(total_turnover / total_vol, 9),
            total_vol=total_vol,
            total_turnover=total_turnover,
        )
