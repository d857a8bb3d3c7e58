"""In which portions pending entries are delivered again."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from brokertape.workers.group import Pending
from brokertape.workers.lane import next_run

DELIVERIES = st.lists(st.integers(1, 4), max_size=12)


def pending(deliveries: Sequence[int]) -> list[Pending]:
    """Pending entries that were delivered so often."""
    return [Pending(f"{n}-0", count) for n, count in enumerate(deliveries, 1)]


def runs(deliveries: Sequence[int]) -> list[list[int]]:
    """Delivery counts in the portions they come in."""
    rest, found = pending(deliveries), []
    while run := next_run(rest):
        found.append([one.deliveries for one in run])
        rest = rest[len(run) :]
    return found


def test_suspects_come_alone() -> None:
    """What came twice without an answer may be what ends workers: nothing else is counted up with it."""
    assert runs([1, 1, 2, 3, 1]) == [[1, 1], [2], [3], [1]]


@given(DELIVERIES)
def test_portions_leave_nothing_out(deliveries: list[int]) -> None:
    """Joined, they are the entries, in order; only first-timers share one."""
    found = runs(deliveries)
    assert [count for run in found for count in run] == deliveries
    assert all(len(run) == 1 or set(run) == {1} for run in found)
