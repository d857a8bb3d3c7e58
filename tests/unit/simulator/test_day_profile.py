"""How a day's trades spread over its hours."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokertape.simulator.day_profile import DayProfile
from brokertape.simulator.trading_calendar import CLOSE_S, NOON_S, OPEN_S, REOPEN_S

shares = st.floats(0, 1, exclude_max=True)


@given(shares, shares, st.booleans())
def test_moments_grow_with_the_share(a: float, b: float, is_half_day: bool) -> None:
    """A larger share of the day's trades is never reached earlier."""
    profile = DayProfile(is_half_day)
    assert (profile.second_of(a) <= profile.second_of(b)) == (a <= b) or profile.second_of(a) == profile.second_of(b)


@given(shares)
def test_no_trade_falls_into_lunch_or_outside_the_day(share: float) -> None:
    """A whole day's trades stand in the two sessions and the closing auction."""
    second = DayProfile(is_half_day=False).second_of(share)
    assert OPEN_S <= second <= NOON_S or REOPEN_S <= second <= CLOSE_S or CLOSE_S + 480 <= second <= CLOSE_S + 600


@given(shares)
def test_a_half_day_trades_in_the_morning_only(share: float) -> None:
    """Nothing after its closing auction."""
    assert OPEN_S <= DayProfile(is_half_day=True).second_of(share) <= NOON_S + 600


@pytest.mark.parametrize(("is_half_day", "trading_s"), [(False, 19_800), (True, 9_000)])
def test_trading_seconds_leave_out_lunch_and_auction(is_half_day: bool, trading_s: int) -> None:
    """The time over which rates are means."""
    assert DayProfile(is_half_day).trading_s == trading_s


def test_the_open_and_the_close_are_the_busiest() -> None:
    """The first and the last ten minutes each see more than twice the trades of ten minutes before noon."""
    profile = DayProfile(is_half_day=False)
    counts = Counter(int(profile.second_of(n / 20_000)) // 600 for n in range(20_000))
    quiet = counts[NOON_S // 600 - 1]
    assert counts[OPEN_S // 600] > 2 * quiet
    assert counts[CLOSE_S // 600 - 1] > 2 * quiet
