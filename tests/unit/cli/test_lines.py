"""Events as lines."""

from typing import Any

import pytest
from msgspec.structs import replace

from brokertape.cli.lines import line_of
from brokertape.tape.changes import Change
from brokertape.tape.events import (
    ChangeEvent,
    Event,
    HistoryData,
    HistoryEvent,
    StatusData,
    StatusEvent,
    WatermarkData,
    WatermarkEntry,
    WatermarkEvent,
)
from brokertape.tape.wording import plain, shares
from support.tables import row
from support.tape_factory import TapeFactory

ENVELOPE: dict[str, Any] = {"source": "/opend/x", "id": "p/1/1", "time": "2026-05-08T01:30:00.123Z"}


def events() -> dict[str, Event]:
    """One event of every kind."""
    factory = TapeFactory()
    mark = WatermarkEntry(observed_at=1, data_time=None, epoch=1, seq=1)
    status = StatusData(scope="gateway", name="h:1", state="lost", reason="no answer\x1b[2J")
    history = HistoryData(code="HK.00005", trading_date="2026-05-07", days_before=1, data_time=None, rows=())
    return {
        "baseline": factory.baseline(),
        "change": factory.change(),
        "rollover": factory.rollover(),
        "correction": factory.correction(),
        "status": StatusEvent(subject="h:1", data=status, **ENVELOPE),
        "watermark": WatermarkEvent(subject="p", data=WatermarkData(codes={"HK.00700": mark}), **ENVELOPE),
        "history": HistoryEvent(subject="HK.00005", data=history, **ENVELOPE),
    }


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("baseline", "#1  first_seen: "),
        ("change", "#2  "),
        ("rollover", "#3  2026-05-08 → 2026-05-09: "),
        ("correction", "#4  data_time_back "),
        ("status", "gateway lost: no answer"),
        ("watermark", "1 codes seen"),
        ("history", "2026-05-07, 1 days before: 0 rows"),
    ],
)
def test_every_kind_has_a_line(kind: str, text: str) -> None:
    """Of printable characters only, whatever the gateway called its brokers."""
    line = line_of(events()[kind])
    assert f" {kind} " in line
    assert text in line
    assert line.isprintable()


def test_the_time_is_the_markets() -> None:
    """Eight hours ahead of UTC, to the ms."""
    assert line_of(events()["watermark"]).startswith("09:30:00.123  ")


def test_a_long_change_is_cut_and_counted() -> None:
    """Brokers that only moved in rank are counted, the others named until the line is long enough."""
    change = TapeFactory().day(changes=1)[1]
    assert isinstance(change, ChangeEvent)
    before, after = row("buy", 1, "A\x07", 100), row("buy", 2, "A\x07", 300)
    moved = Change(broker_name="A\x07", kinds=("net",), before=before, after=after, flow=None)
    ranked = replace(moved, kinds=("ranked",))
    long = replace(change, data=replace(change.data, changes=(*[moved] * 6, ranked)))
    assert line_of(long).endswith("; A� +100 → +300; 2 more; 1 ranked")


def test_what_is_not_known_is_no_zero() -> None:
    """A number that the gateway left out shows as such."""
    assert (shares(None), shares(0), shares(-1_234_567)) == ("–", "+0", "-1,234,567")


def test_a_name_cannot_steer_the_terminal() -> None:
    """Control characters show as a mark; letters of any script stay."""
    assert plain("花旗\x1b[31m\n") == "花旗�[31m�"
