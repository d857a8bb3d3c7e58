"""Which moment of the market it is."""

from datetime import date

import pytest

from brokertape.gateway.errors import InvalidSettings
from brokertape.simulator.clock import MarketClock, begin_s
from brokertape.simulator.trading_calendar import OPEN_S, TradingCalendar, market_moment

FRIDAY, SUNDAY = date(2026, 5, 8), date(2026, 5, 10)
SUNDAY_NIGHT = market_moment(SUNDAY, 23 * 3600)


class Wall:
    """A clock on the wall that the test turns."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def test_the_market_may_run_faster_than_the_wall() -> None:
    """Ten seconds at speed 60 are ten minutes."""
    wall = Wall(500.0)
    clock = MarketClock(market_moment(FRIDAY, OPEN_S), 60.0, wall)
    assert clock.now_s() == market_moment(FRIDAY, OPEN_S)
    wall.now_s += 10
    assert clock.now_s() == market_moment(FRIDAY, OPEN_S + 600)


@pytest.mark.parametrize(
    ("start", "begins_s"),
    [
        ("now", SUNDAY_NIGHT),
        ("busy", market_moment(FRIDAY, OPEN_S)),
        ("2026-05-07T13:00", market_moment(date(2026, 5, 7), 13 * 3600)),
        ("2026-05-07T01:30:15Z", market_moment(date(2026, 5, 7), OPEN_S + 15)),
        ("2026-05-07 09:30:15", market_moment(date(2026, 5, 7), OPEN_S + 15)),
    ],
)
def test_a_start_is_a_moment_of_the_market(start: str, begins_s: float) -> None:
    """Now, the last opening, or a market time."""
    assert begin_s(start, TradingCalendar(), SUNDAY_NIGHT) == begins_s


@pytest.mark.parametrize("start", ["", "soon", "09:30", "2026-13-01T09:30"])
def test_another_start_is_refused_with_a_line_that_helps(start: str) -> None:
    """The line says what may be given."""
    with pytest.raises(InvalidSettings, match="give now, busy, or a market time"):
        begin_s(start, TradingCalendar(), SUNDAY_NIGHT)
