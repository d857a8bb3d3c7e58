"""Which moment of the market it is: now, or a day that began when the simulator did, perhaps faster."""

import time
from collections.abc import Callable
from datetime import datetime

from brokertape.gateway.errors import InvalidSettings
from brokertape.simulator.trading_calendar import HKT, TradingCalendar

NOW = "now"
BUSY = "busy"


class MarketClock:
    """The market's time: `begin_s` when the clock is made, then `speed` market seconds a second of `wall_now_s`."""

    def __init__(self, begin_s: float, speed: float, wall_now_s: Callable[[], float] = time.time) -> None:
        self._begin_s = begin_s
        self._speed = speed
        self._wall_now_s = wall_now_s
        self._wall_begin_s = wall_now_s()

    def now_s(self) -> float:
        """The market's time in s since 1970."""
        return self._begin_s + (self._wall_now_s() - self._wall_begin_s) * self._speed


def begin_s(start: str, calendar: TradingCalendar, now_s: float) -> float:
    """The moment the market begins at, in s since 1970.

    `start` is `now`, `busy` (the last opening that is past, so that data times stay in the past) or a date and time,
    the market's unless it names a zone, such as `2026-05-08T09:30`.

    Raises:
        InvalidSettings: It is none of these.
    """
    if start == NOW:
        return now_s
    if start == BUSY:
        return calendar.last_opening(now_s)
    try:
        moment = datetime.fromisoformat(start)
    except ValueError as error:
        raise InvalidSettings(f"start {start!r}: give now, busy, or a market time such as 2026-05-08T09:30") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=HKT)).timestamp()
