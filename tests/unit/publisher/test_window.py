"""The request window, the pace and the back-off: pure, on any clock."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokertape.publisher.window import Backoff, Limit, Pace, RequestWindow

LIMIT = Limit()
DELAYS = st.lists(st.floats(0, 40), min_size=40, max_size=120)


@given(DELAYS, st.floats(0, 0.1))
def test_never_more_than_thirty_in_any_thirty_seconds(round_trips: list[float], jitter_s: float) -> None:
    """Whatever each round trip takes, and wherever in it the gateway counts, its own window holds."""
    window, now, received = RequestWindow(LIMIT), 0.0, []
    replies: list[tuple[float, str]] = []
    for number, round_trip_s in enumerate(round_trips):
        while True:
            for reply in [reply for reply in replies if reply[0] <= now]:
                window.settle(reply[1], reply[0])
                replies.remove(reply)
            if (wait_s := window.wait_s(now)) == 0:
                break
            now = min([now + wait_s, *(at for at, _ in replies)])
        window.reserve(str(number), now, timeout_s=45)
        received.append(now + min(jitter_s, round_trip_s))
        replies.append((now + round_trip_s, str(number)))
    received.sort()
    assert all(later - earlier > 30 for earlier, later in zip(received, received[30:], strict=False))


def test_thirty_at_once_then_the_window() -> None:
    """An idle window grants its thirty at once and the next one when the first has run out."""
    window = RequestWindow(LIMIT)
    for number in range(30):
        assert window.wait_s(0.0) == 0
        window.reserve(str(number), 0.0, timeout_s=5)
        window.settle(str(number), number / 100)
    assert window.wait_s(10.0) == pytest.approx(20.01)
    assert window.wait_s(30.011) == 0
    assert window.wait_s(30.011, guard_s=0.25) > 0


def test_an_unanswered_request_counts_from_its_timeout() -> None:
    """What got no reply may have been received as late as that."""
    window = RequestWindow(Limit(requests=1))
    window.reserve("lost", 0.0, timeout_s=5)
    assert window.wait_s(0.0) == pytest.approx(35.01)


def test_the_pace_spreads_and_catches_up() -> None:
    """Three at once, then one each 0.95 s on average: faster than the window, slower than a burst."""
    sent = sends(Pace(), 31)
    assert all(later - earlier >= 2.85 - 1e-9 for earlier, later in zip(sent, sent[3:], strict=False))
    assert sent[30] == pytest.approx(28.5)


def test_only_after_a_break_three_leave_at_once() -> None:
    """While there is work without a break they are apart, so that what becomes urgent need not wait for long."""
    pace = Pace()
    sent = sends(pace, 30)
    assert sent[:3] == [0, 0, 0]
    assert all(later - earlier >= 0.66 for earlier, later in pairwise(sent[2:]))
    after = sends(pace, 6, sent[-1] + 6)
    assert after[0] == after[2]
    assert after[3] < after[4]


def test_a_share_keeps_a_slower_pace() -> None:
    """Half of an account's requests are three in 5.7 s."""
    pace = Pace()
    pace.share = 0.5
    sent = sends(pace, 31)
    assert sent[30] == pytest.approx(57)
    assert all(later - earlier >= 1.3 for earlier, later in pairwise(sent[2:]))


def sends(pace: Pace, count: int, now: float = 0.0) -> list[float]:
    """When so many requests leave, each as soon as it may."""
    sent: list[float] = []
    for _ in range(count):
        now += pace.wait_s(now)
        pace.sent(now)
        sent.append(now)
    return sent


def test_refusals_hold_longer_and_longer_and_widen_the_guard() -> None:
    """3 s doubling to 30, 0.25 s up to 2; a window in peace resets the hold and keeps the guard."""
    backoff, now, holds = Backoff(), 0.0, []
    for _ in range(10):
        holds.append(backoff.refused(now))
        assert backoff.wait_s(now) == holds[-1]
        now += holds[-1]
    assert holds[:5] == [3, 6, 12, 24, 30]
    assert backoff.guard_s == 2.0
    assert backoff.refused(now + 31) == 3
    assert backoff.guard_s == 2.0


@pytest.mark.parametrize(("requests", "window_s", "margin_s"), [(0, 30, 0), (30, 0, 0), (30, 30, -1)])
def test_a_limit_has_to_make_sense(requests: int, window_s: float, margin_s: float) -> None:
    """A nonsense limit is refused when it is made."""
    with pytest.raises(ValueError, match="limit"):
        Limit(requests, window_s, margin_s)
