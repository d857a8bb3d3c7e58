"""When an entry is tried again, and what may go with it."""

from hypothesis import given
from hypothesis import strategies as st

from brokertape.workers.ordered_lane import alike
from brokertape.workers.retry import Pauses, Pending, idle

PAUSES = Pauses(first_s=0.5, most_s=5.0)
PENDING = st.lists(st.integers(1, 6)).map(
    lambda counts: [Pending(f"{number}-0", count, 0) for number, count in enumerate(counts, 1)]
)


@given(st.integers(1, 10**6), st.integers(1, 100))
def test_pauses_double_up_to_the_longest(number: int, deliveries: int) -> None:
    """Each cut by up to half."""
    pause_s = PAUSES.after(f"{number}-0", deliveries)
    whole_s = min(0.5 * 2 ** (deliveries - 1), 5.0)
    assert whole_s / 2 <= pause_s <= whole_s


def test_entries_that_failed_together_do_not_come_back_together() -> None:
    """Their jitter is their own, and the same whoever works it out."""
    pauses = {PAUSES.after(f"{number}-0", 1) for number in range(100)}
    assert len(pauses) > 90
    assert PAUSES.after("7-0", 3) == PAUSES.after("7-0", 3)


def test_a_pause_is_over_when_the_entry_has_lain_for_as_long() -> None:
    """Redis counts how long."""
    pause_ms = 1000 * PAUSES.after("7-0", 2)
    assert not PAUSES.is_over(Pending("7-0", 2, int(pause_ms) - 1))
    assert PAUSES.is_over(Pending("7-0", 2, int(pause_ms) + 1))


def test_what_is_at_work_is_not_idle() -> None:
    """It is on the pending list all the same."""
    pending = [Pending("1-0", 1, 0), Pending("2-0", 1, 0)]
    assert [one.entry_id for one in idle(pending, {"1-0"})] == ["2-0"]


@given(PENDING.filter(bool), st.integers(1, 5))
def test_in_order_the_oldest_goes_first_and_a_suspect_alone(pending: list[Pending], size: int) -> None:
    """Whatever is delivered together is the beginning of what is pending."""
    together = alike(pending, size)
    assert 1 <= len(together) <= size
    assert list(together) == pending[: len(together)]
    assert len(together) == 1 or all(one.deliveries == 1 for one in together)
