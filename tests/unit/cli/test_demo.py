"""How the demo judges and shows itself."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from brokertape.cli.demo import _new_directory, too_little
from brokertape.cli.demo_check import Report
from brokertape.cli.demo_screen import DemoState, demo_view, summary
from brokertape.cli.faults import SettingsError
from brokertape.subscriber import BookView
from support.tables import row

NOW = 1_778_227_221_000


@pytest.mark.parametrize(
    ("polls", "changes", "elapsed_s", "complaints"),
    [
        (50, 25, 60, []),
        (49, 25, 60, ["49 polls in 60 s, at least 50 were due"]),
        (50, 24, 60, ["24 changes in 60 s, at least 25 were due"]),
        (100, 50, 120, []),
        (99, 49, 120, ["99 polls in 120 s, at least 100 were due", "49 changes in 120 s, at least 50 were due"]),
        (1, 1, 20, []),
        (1, 0, 10, []),
        (1, 0, 20, ["0 changes in 20 s, at least 1 were due"]),
        (0, 0, 10, ["0 polls in 10 s, at least 1 were due"]),
    ],
)
def test_a_demo_in_which_nothing_happened_fails(
    polls: int, changes: int, elapsed_s: float, complaints: list[str]
) -> None:
    """By the minute, but for one too short to tell."""
    assert list(too_little(Report(polls=polls, changes=changes), elapsed_s)) == complaints


def test_what_is_kept_has_a_directory_of_its_own(tmp_path: Path) -> None:
    """What an earlier demo left would be compared with what this one did."""
    assert _new_directory(tmp_path / "new" / "one").is_dir()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "tape.db").touch()
    for taken in (tmp_path / "old", tmp_path / "old" / "tape.db"):
        with pytest.raises(SettingsError, match="--keep"):
            _new_directory(taken)


def test_the_screen_shows_the_busiest_code_and_all_counts() -> None:
    """Book, freshness, budget, last events."""
    books = {
        "HK.00700": BookView("HK.00700", 1, 9, "1-0", "2026-05-08", None, NOW - 3000, (row("buy", 1, "UBS"),)),
        "HK.00005": BookView("HK.00005", 1, 2, "2-0", "2026-05-08", None, NOW - 7000, ()),
    }
    state = DemoState(
        now=NOW, elapsed_s=20, budget_used=12, budget_limit=30, polls=15, stored=11, books=books, lines=["last event"]
    )
    console = Console(file=io.StringIO(), width=120)
    console.print(demo_view(state, "Ctrl-C ends it"))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "15 polls, 11 events, 11 stored, 0 past days, budget 12 of 30, longest unseen 7 s; Ctrl-C ends it" in text
    for shown in ("HK.00700  2026-05-08", "UBS", "HK.00005", "last event"):
        assert shown in text


def test_before_the_first_event_there_is_nothing_to_show() -> None:
    """And no fault."""
    state = DemoState(now=NOW, elapsed_s=0, budget_used=0, budget_limit=30)
    assert summary(state).endswith("longest unseen 0 s")
    assert state.busiest is None
