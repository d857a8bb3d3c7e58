"""What a worker concludes when it joins its group."""

import os
from pathlib import Path

import pytest

from brokertape.workers import SinkBroken, SinkUnavailable
from brokertape.workers.group import Standing
from brokertape.workers.positions import FilePositions, MemoryPositions, Verdict, judge


@pytest.mark.parametrize(
    ("standing", "saved", "verdict"),
    [
        (None, None, Verdict.FIRST),
        (None, "5-0", Verdict.LOST),
        (None, "0-0", Verdict.LOST),
        (Standing("9-0", "7-0", 0, 0), None, Verdict.FINE),
        (Standing("9-0", "7-0", 0, 0), "9-0", Verdict.FINE),
        (Standing("10-0", "7-0", 0, 0), "9-0", Verdict.FINE),
        (Standing("9-0", "7-0", 0, 0), "10-0", Verdict.ROLLED_BACK),
        (Standing("9-0", "10-0", 0, 0), "5-0", Verdict.AHEAD),
        (Standing("9-0", "10-0", 0, 0), None, Verdict.AHEAD),
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


async def test_positions_in_a_file_outlive_the_process(tmp_path: Path) -> None:
    """What was saved is added to what was there, in a file that only its owner reads."""
    path = tmp_path / "positions.json"
    assert await FilePositions(path).load() == {}
    first = FilePositions(path)
    await first.save({0: "5-0"})
    await first.save({1: "7-0"})
    assert await FilePositions(path).load() == {0: "5-0", 1: "7-0"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("content", ["", "[]", '{"0": "soon"}', '{"x": "5-0"}'])
async def test_a_foreign_file_holds_no_positions(tmp_path: Path, content: str) -> None:
    """It is not overwritten, and the line says what to do."""
    path = tmp_path / "positions.json"
    path.write_text(content)
    with pytest.raises(SinkBroken, match="choose another"):
        await FilePositions(path).load()


async def test_positions_that_cannot_be_written_are_waited_for(tmp_path: Path) -> None:
    """A disk may come back."""
    with pytest.raises(SinkUnavailable, match="No such file or directory"):
        await FilePositions(tmp_path / "nowhere" / "positions.json").save({0: "5-0"})
