"""Sums over time."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from brokertape.tape.changes import Flow
from brokertape.workers.alerts.window import FINENESS, Part, Sums, Window


def test_a_flow_without_gross_volumes_is_bought_or_sold_by_its_net() -> None:
    """At least that much was."""
    flow = Flow(net_vol=-300, buy_vol=None, sell_vol=None, turnover=None, vwap=None)
    assert Sums.of(flow) == Sums(sold=300, net=-300, unknown=1)
    assert Sums.of(None) == Sums(unknown=1)
    assert Sums.of(replace(flow, buy_vol=0, sell_vol=300, turnover=3e4, vwap=100.0)) == Sums(
        sold=300, net=-300, turnover=3e4, net_value=-3e4
    )


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(-1000, 1000)), max_size=40), st.integers(1, FINENESS - 1))
def test_the_sum_is_that_of_the_intervals_within(steps: list[tuple[int, int]], over_ms: int) -> None:
    """However they lie, and whenever one asks."""
    window, parts, now = Window(), list[tuple[int, int]](), 0
    for wait_ms, net in steps:
        since, now = now, now + wait_ms
        window.add(Part(since, now, Sums(net=net)), over_ms)
        parts.append((since, net))
        assert window.sums(now, over_ms).net == sum(net for since, net in parts if since >= now - over_ms)


@given(st.lists(st.integers(1, 900), min_size=1, max_size=300), st.integers(FINENESS, 20_000))
def test_a_long_window_is_coarse_by_little_and_bounded(waits_ms: list[int], over_ms: int) -> None:
    """Never too much; too little by what begins within one part of FINENESS at its edge; and so many parts at most."""
    window, parts, now = Window(), list[tuple[int, int]](), 0
    for wait_ms in waits_ms:
        since, now = now, now + wait_ms
        window.add(Part(since, now, Sums(net=1)), over_ms)
        parts.append((since, now))
        found = window.sums(now, over_ms).net
        assert found <= sum(since >= now - over_ms for since, _ in parts)
        assert found >= sum(since >= now - over_ms + over_ms / FINENESS for since, _ in parts)
        assert len(window.parts) <= 2 * FINENESS + 2
