"""What a run of `brokertape history` says of its progress."""

from brokertape.cli.history_progress import Pace
from brokertape.publisher.history import Tally


def test_the_rest_is_told_in_time_at_the_best() -> None:
    """As the pace of past days has it."""
    assert Pace(30.01 / 27).text(Tally(wanted=60, left=54), 0.0) == "1:00 left at the best"


def test_standing_back_is_told() -> None:
    """When no request has left for longer than the pace explains, and no more once one has."""
    pace = Pace(1.0)
    assert "left" in pace.text(Tally(wanted=60, asked=6, left=54), 0.0)
    assert "left" in pace.text(Tally(wanted=60, asked=6, left=54), 5.0)
    assert pace.text(Tally(wanted=60, asked=6, left=54), 7.0) == "waiting: the live list goes first"
    assert "left" in pace.text(Tally(wanted=60, asked=7, left=53), 8.0)


def test_nothing_left_is_no_waiting() -> None:
    """The end of a run may take a moment."""
    pace = Pace(1.0)
    pace.text(Tally(wanted=1, asked=1), 0.0)
    assert "waiting" not in pace.text(Tally(wanted=1, asked=1), 60.0)


def test_a_run_is_summed_up_in_a_line() -> None:
    """What failed only if something did."""
    tally = Tally(wanted=10, already_there=2, asked=6, published=5)
    assert str(tally) == "6 asked for, 5 published, 2 already there, 3 not available"
    tally.failed = 1
    assert str(tally) == "6 asked for, 5 published, 2 already there, 2 not available, 1 failed"
