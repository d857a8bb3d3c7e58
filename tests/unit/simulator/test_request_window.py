"""The frequency limit as the gateway counts it."""

from hypothesis import given
from hypothesis import strategies as st

from brokertape.simulator.request_window import RequestWindow

# Arrivals on a grid of quarters, so that distances of exactly one window do occur.
gaps = st.lists(st.integers(0, 12).map(lambda quarters: quarters / 4), max_size=120)


def arrivals(gaps: list[float]) -> list[float]:
    """Moments from the gaps between them."""
    moments, now_s = [], 1000.0
    for gap in gaps:
        now_s += gap
        moments.append(now_s)
    return moments


def test_the_thirty_first_is_refused_until_more_than_thirty_seconds_after_the_first() -> None:
    """Exactly thirty seconds are not enough."""
    window = RequestWindow(30, 30.0)
    assert all(window.admit(100.0) for _ in range(30))
    assert not window.admit(100.0)
    assert not window.admit(130.0)
    assert window.admit(130.001)
    assert window.refused == 2


@given(gaps, st.integers(1, 6))
def test_of_any_window_no_more_than_the_limit_are_admitted(gaps: list[float], limit: int) -> None:
    """An admitted request and the one `limit` places later are more than a window apart."""
    window = RequestWindow(limit, 3.0)
    admitted = [moment for moment in arrivals(gaps) if window.admit(moment)]
    assert all(later - earlier > 3.0 for earlier, later in zip(admitted, admitted[limit:], strict=False))


@given(gaps, st.integers(1, 6))
def test_no_request_is_refused_without_need(gaps: list[float], limit: int) -> None:
    """A refused one had `limit` admitted ones in the window before it."""
    window = RequestWindow(limit, 3.0)
    admitted: list[float] = []
    for moment in arrivals(gaps):
        if window.admit(moment):
            admitted.append(moment)
        else:
            assert sum(moment - earlier <= 3.0 for earlier in admitted) == limit


@given(gaps, st.integers(1, 6))
def test_refused_ones_count_when_told_so(gaps: list[float], limit: int) -> None:
    """Then every request of the window before counts."""
    window = RequestWindow(limit, 3.0, counts_refused=True)
    before: list[float] = []
    for moment in arrivals(gaps):
        recent = sum(moment - earlier <= 3.0 for earlier in before)
        assert window.admit(moment) == (recent < limit)
        before.append(moment)
