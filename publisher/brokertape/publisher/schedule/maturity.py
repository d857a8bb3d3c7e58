"""How long after a trade the list shows it: the lag that a poll has to wait for, learnt and never forgotten."""

SHORTEST_S, LONGEST_S = 0.5, 90.0
FIRST_S = 3.0
LONGER, SHORTER = 1.5, 0.998
GRACE_S = 5.0  # a poll says something about the lag only so long after the last trade was due to show


class Maturity:
    """A trade is worth a poll once the list shows it, which is some seconds later.

    Polled too early, the poll finds nothing, the trade counts as seen, and its change waits for the next trade: in a
    quiet code for hours. Polled too late, it is late by so much. So a list that changed though all its trades had
    matured makes the lag half as long again, and one that did not a little shorter.
    """

    def __init__(self, lag_s: float = FIRST_S) -> None:
        self.lag_s = min(max(lag_s, SHORTEST_S), LONGEST_S)

    @property
    def settled_s(self) -> float:
        """How long after a poll another one can tell whether the list came late."""
        return max(10.0, 2 * self.lag_s)

    def recall(self, lag_s: float | None) -> None:
        """The lag that was learnt yesterday, if any: to find it again would cost the changes of a day."""
        if lag_s is not None:
            self.lag_s = min(max(lag_s, SHORTEST_S), LONGEST_S)

    def learn(self, changed: bool, since_trade_s: float) -> None:
        """A list was polled that no trade had been seen for since the poll before, the last one so long ago."""
        if since_trade_s > self.lag_s + GRACE_S:
            self.lag_s = min(max(self.lag_s * (LONGER if changed else SHORTER), SHORTEST_S), LONGEST_S)
