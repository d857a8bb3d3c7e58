"""Where a subscription begins."""

import pytest

from brokertape.subscriber.beginning import beginning_of
from brokertape.tape.errors import InvalidPosition
from brokertape.tape.start import since

ENDS = {"a": "100-0", "b": "50-3"}


def test_now_is_the_ends() -> None:
    """With the stored books."""
    now = beginning_of("now", None, None)
    assert now.after_ids(ENDS) == ENDS
    assert now.is_joined("HK.00700")


def test_earliest_is_before_everything() -> None:
    """By events alone."""
    earliest = beginning_of("earliest", None, None)
    assert set(earliest.after_ids(ENDS).values()) == {"0-0"}
    assert not earliest.is_joined("HK.00700")


def test_nothing_begins_beyond_an_end() -> None:
    """What comes next would be skipped."""
    assert beginning_of("now", "70-0", None).after_ids(ENDS) == {"a": "70-0", "b": "50-3"}
    saved = {"streams": {"a": "120-0"}, "codes": {}}
    assert beginning_of("now", None, saved).after_ids(ENDS) == ENDS


def test_a_position_knows_what_was_told() -> None:
    """A code it does not have begins now; one that nothing was told of begins where the stream was left."""
    left = beginning_of("now", None, {"streams": {"a": "9-0"}, "codes": {"HK.00700": [7, 3], "HK.00005": None}})
    assert left.after_ids(ENDS) == {"a": "9-0", "b": "50-3"}
    assert (left.tip_of("HK.00700"), left.tip_of("HK.00005"), left.tip_of("HK.00001")) == ((7, 3), None, None)
    assert [left.is_joined(code) for code in ("HK.00700", "HK.00005", "HK.00001")] == [False, False, True]


@pytest.mark.parametrize(
    ("moment", "after_id"),
    [
        ("1778221800000-3", "1778221800000-3"),
        ("2026-05-08 14:30", "1778221799999-18446744073709551615"),
        ("2026-05-08T06:30:00+00:00", "1778221799999-18446744073709551615"),
    ],
)
def test_a_moment_is_an_entry_or_a_time(moment: str, after_id: str) -> None:
    """A time without a zone is the market's; an entry of that very millisecond is after it."""
    assert since(moment) == after_id


def test_what_is_neither_is_said() -> None:
    """In one line."""
    with pytest.raises(InvalidPosition, match="neither an entry id nor a time such as"):
        since("last week")
