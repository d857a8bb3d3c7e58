"""Sums over time."""

from hypothesis import given
from hypothesis import strategies as st

from brokertape.tape.changes import Flow
from brokertape.workers.alerts.window import MOST_PARTS, Part, Sums, Window


def test_a_flow_without_gross_volumes_is_bought_or_sold_by_its_net() -> None:
    """At least that much was."""
    flow = Flow(net_vol=-300, buy_vol=None, sell_vol=None, turnover=None, vwap=None)
    assert Sums.of(flow) == Sums(sold=300, net=-300)
    assert Sums.of(None) == Sums(unknown=1)


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(-1000, 1000)), max_size=40), st.integers(1, 300))
def test_the_sum_is_that_of_the_intervals_within(steps: list[tuple[int, int]], over_ms: int) -> None:
    """However they lie, and whenever one asks."""
    window, parts, now = Window(), list[tuple[int, int]](), 0
    for wait_ms, net in steps:
        since, now = now, now + wait_ms
        window.add(Part(since, now, Sums(net=net)))
        parts.append((since, net))
        assert window.sums(now, over_ms).net == sum(net for since, net in parts if since >= now - over_ms)


def test_a_long_window_gets_coarser_and_loses_nothing() -> None:
    """Its memory is bounded; what lies within is all there, and what does not is never counted."""
    window = Window()
    for number in range(10 * MOST_PARTS):
        window.add(Part(number, number + 1, Sums(net=1)))
        assert len(window.parts) <= MOST_PARTS
    assert window.sums(10 * MOST_PARTS, 10 * MOST_PARTS).net == 10 * MOST_PARTS
    assert window.sums(10 * MOST_PARTS, 100).net <= 100
