"""A broker list that shows each trade a while after it happened, as the upstream of a gateway may."""

from heapq import heappop, heappush
from random import Random

from brokertape.simulator.broker_book import BrokerBook, Trade


class LateList:
    """What of a day's trades the list shows, up to the moment it was last advanced to.

    Every trade's lag is drawn uniformly from `lag_s` (shortest, longest), by random numbers of its own and in the order
    of the trades: so they are the same trades as without a lag, and a moment shows the same however it was reached.
    Trades may overtake each other. `updated_s` is when the list last changed, in s since 1970, not when those trades
    happened: which of the two a gateway stamps is not known, and a stamp of the trades could stand while rows change.
    """

    def __init__(self, book: BrokerBook, lag_s: tuple[float, float], seed: str, begin_s: float) -> None:
        self.book = book
        self.updated_s = begin_s
        self._shortest_s, self._longest_s = lag_s
        self._random = Random(seed)
        self._due: list[tuple[float, int, Trade]] = []
        self._followed = 0  # of two that are due together, the earlier trade shows first

    def follow(self, trade: Trade, at_s: float) -> None:
        """Show a trade of `at_s` after its lag."""
        self._put(trade, at_s + self._random.uniform(self._shortest_s, self._longest_s))

    def take_back(self, trade: Trade, at_s: float) -> None:
        """Take trades back after the longest lag: by then all of them have shown."""
        self._put(trade, at_s + self._longest_s)

    def advance(self, to_s: float) -> None:
        """Show what is due by `to_s`, that moment included."""
        while self._due and self._due[0][0] <= to_s:
            self.updated_s, _, trade = heappop(self._due)
            self.book.trade(*trade)

    def _put(self, trade: Trade, due_s: float) -> None:
        heappush(self._due, (due_s, self._followed, trade))
        self._followed += 1
