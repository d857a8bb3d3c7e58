"""Who stands back behind whom, and how far: pure."""

import pytest

from brokertape.publisher.lane import LIVE, Lane, Precedence
from brokertape.publisher.window import Limit

LIMIT = Limit()
PAST = Lane(headroom=3, quiet_s=5.0)


def test_live_stands_back_for_nobody() -> None:
    """Whatever happened before."""
    precedence = Precedence()
    precedence.live_asked(0.0)
    precedence.held(0.0, 30.0)
    precedence.behind_sent(0.0)
    assert precedence.wait_s(0.0, LIVE, LIMIT) == 0


def test_two_live_requests_in_a_row_mean_work() -> None:
    """Past days rest until live has asked for nothing for so long."""
    precedence = Precedence()
    precedence.live_asked(100.0)
    precedence.live_asked(102.0)
    assert precedence.wait_s(103.0, PAST, LIMIT) == pytest.approx(4.0)
    assert precedence.wait_s(107.0, PAST, LIMIT) == 0


def test_a_single_live_request_does_not() -> None:
    """Heartbeats of a market that rests would else leave nothing to past days."""
    precedence = Precedence()
    for at in (100.0, 106.0):
        precedence.live_asked(at)
        assert precedence.wait_s(at + 0.1, PAST, LIMIT) == 0


def test_a_refusal_of_live_holds_what_is_behind_it() -> None:
    """What runs out of the window while live is held is not free to take; and no hold is longer than the longest."""
    precedence = Precedence()
    precedence.held(10.0, 6.0)
    assert precedence.wait_s(10.0, PAST, LIMIT) == pytest.approx(6.0)
    precedence.held(10.0, 1e9)
    assert precedence.wait_s(10.0, PAST, LIMIT) == pytest.approx(30.0)


def test_what_can_wait_leaves_in_even_shares() -> None:
    """27 in a window of 30: one each 30.01 / 27 s."""
    precedence = Precedence()
    precedence.behind_sent(0.0)
    assert precedence.wait_s(0.0, PAST, LIMIT) == pytest.approx(30.01 / 27)


@pytest.mark.parametrize(("headroom", "quiet_s"), [(-1, 5.0), (3, -1.0)])
def test_a_lane_has_to_make_sense(headroom: int, quiet_s: float) -> None:
    """When it is made."""
    with pytest.raises(ValueError, match="lane"):
        Lane(headroom, quiet_s)


def test_a_headroom_of_everything_is_refused() -> None:
    """Nothing would ever be asked for."""
    with pytest.raises(ValueError, match="limit"):
        Lane(30, 5.0).share_of(LIMIT)
