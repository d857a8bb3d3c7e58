"""How a day's trades spread over its hours: busy at the open and the close, a last burst as the auction matches."""

from bisect import bisect_right
from itertools import accumulate
from math import exp

from brokertape.simulator.trading_calendar import CLOSE_S, NOON_S, OPEN_S, REOPEN_S

_SLICE_S = 60
_AUCTION_SHARE = 0.03
_AUCTION_MATCHES_AFTER_S = 480  # the exchange matches at a random moment of the last two minutes


class DayProfile:
    """Maps a share of the day's trades (0 to 1) to the second of the day by which so many have happened."""

    def __init__(self, is_half_day: bool) -> None:
        morning = range(OPEN_S, NOON_S, _SLICE_S)
        afternoon = range(0) if is_half_day else range(REOPEN_S, CLOSE_S, _SLICE_S)
        sessions = [*morning, *afternoon]
        self.trading_s = len(sessions) * _SLICE_S
        reopens_s = len(morning) * _SLICE_S
        weights = [_weight(traded_s, self.trading_s, reopens_s) for traded_s in range(0, self.trading_s, _SLICE_S)]
        weights.append(sum(weights) * _AUCTION_SHARE / (1 - _AUCTION_SHARE))
        self._begins: list[int] = [*sessions, sessions[-1] + _SLICE_S + _AUCTION_MATCHES_AFTER_S]
        total = sum(weights)
        self._shares: list[float] = [0.0, *(edge / total for edge in accumulate(weights))]

    def second_of(self, share: float) -> float:
        """The second of the day for a share from 0 to below 1."""
        n = min(bisect_right(self._shares, share), len(self._begins)) - 1
        part = (share - self._shares[n]) / (self._shares[n + 1] - self._shares[n])
        return self._begins[n] + _SLICE_S * part


def _weight(traded_s: float, trading_s: float, reopens_s: float) -> float:
    weight = 0.5 + 2.5 * exp(-traded_s / 900) + 2.0 * exp(-(trading_s - traded_s) / 900)
    if traded_s >= reopens_s:
        weight += 0.8 * exp(-(traded_s - reopens_s) / 600)
    return weight
