"""What a worker concludes when it joins its group."""

import pytest

from brokertape.workers.group import Standing
from brokertape.workers.positions import MemoryPositions, Verdict, judge


@pytest.mark.parametrize(
    ("standing", "saved", "verdict"),
    [
        (None, None, Verdict.FIRST),
        (None, "5-0", Verdict.LOST),
        (None, "0-0", Verdict.LOST),
        (Standing("9-0", "7-0", 0), None, Verdict.FINE),
        (Standing("9-0", "7-0", 0), "9-0", Verdict.FINE),
        (Standing("10-0", "7-0", 0), "9-0", Verdict.FINE),
        (Standing("9-0", "7-0", 0), "10-0", Verdict.ROLLED_BACK),
        (Standing("9-0", "10-0", 0), "5-0", Verdict.AHEAD),
        (Standing("9-0", "10-0", 0), None, Verdict.AHEAD),
    ],
)
def test_the_verdict_follows_from_group_tape_and_memory(
    standing: Standing | None, saved: str | None, verdict: Verdict
) -> None:
    """A group is new only to somebody who remembers none; ids compare as numbers."""
    assert judge(standing, saved) is verdict


async def test_saving_some_partitions_keeps_the_others() -> None:
    """What a lane saves is not undone by another lane."""
    positions = MemoryPositions()
    await positions.save({0: "1-0", 1: "1-0"})
    await positions.save({1: "2-0"})
    assert await positions.load() == {0: "1-0", 1: "2-0"}
