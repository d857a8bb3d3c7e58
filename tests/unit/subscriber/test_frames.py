"""Data frames: the vendor's columns and meaning for lists, one row per broker for changes."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from pandas import DataFrame, concat
from pandas.testing import assert_frame_equal

from brokertape.subscriber import BookView, Event, State, Status, Update, events_frame, frame, history_frame
from brokertape.tape.changes import Change, Flow
from brokertape.tape.events import ChangeData, HistoryData, HistoryEvent, HistoryRow, TapeEvent, tape_event
from brokertape.tape.rows import ListView, Row
from support.tables import row, tables
from support.tape_factory import SOURCE, TapeFactory

NINE = [
    *("net_vol", "is_real_time", "buy_sell_type", "data_time", "data_time_str", "broker_name"),
    *("avg_price", "total_vol", "total_turnover"),
]
BUYER = row("buy", 1, "UBS", 500, 465.5, 700.0, 325_850.0)
SELLER = row("sell", 1, "花旗", -300, 465.0, 300.0, 139_500.0)
CLOSE_S, CLOSE = 1_778_227_221, "2026-05-08 16:00:21"


def a_book(rows: tuple[Row, ...], data_time: int | None = CLOSE_S) -> BookView:
    """The list of HK.00700 with `rows`."""
    return BookView("HK.00700", 1, 1, "1-0", "2026-05-08", data_time, 0, rows)


def a_change(*changes: Change, data_time: int | None = CLOSE_S) -> TapeEvent:
    """An event of `changes`."""
    stamps: dict[str, Any] = {"data_time": data_time, "since": 900, "observed_at": 1000, "published_at": 1001}
    numbers: dict[str, Any] = {"epoch": 1, "seq": 2, "prev_seq": 1, "list": ListView.of(()), "hash": "0" * 16}
    data = ChangeData(code="HK.00700", trading_date="2026-05-08", changes=changes, **stamps, **numbers)
    return tape_event(SOURCE, data)


def values(table: DataFrame, *columns: str) -> list[tuple[object, ...]]:
    """The rows of a frame; what is missing is None."""
    shown = table[list(columns)].astype(object)
    return [tuple(record) for record in shown.where(shown.notna(), None).itertuples(index=False)]


def test_a_list_has_the_vendors_nine_columns() -> None:
    """In their order, with their types; sides are numbers and stamps are market time."""
    table = frame(a_book((BUYER, SELLER)))
    assert list(table.columns) == NINE
    assert [column.kind for column in table.dtypes.iloc[[0, 1, 2, 3, 6, 7, 8]]] == list("ibiifff")
    assert values(table, *NINE) == [
        (500, True, 1, CLOSE_S, CLOSE, "UBS", 465.5, 700.0, 325_850.0),
        (-300, True, 2, CLOSE_S, CLOSE, "花旗", 465.0, 300.0, 139_500.0),
    ]


def test_what_the_gateway_left_out_is_as_the_vendor_has_it() -> None:
    """Zero and an empty text; a list of nobody is a frame without columns."""
    table = frame(a_book((row("buy", 1, "UBS", None, None, None, None),), data_time=None))
    assert values(table, *NINE) == [(0, True, 1, 0, "", "UBS", 0.0, 0.0, 0.0)]
    assert_frame_equal(frame(a_book(())), DataFrame())


@given(tables())
def test_any_list_becomes_a_frame_of_the_same_types(rows: tuple[Row, ...]) -> None:
    """However odd the numbers are, they are numbers, and the order is the list's."""
    table = frame(a_book(rows))
    if rows:
        assert list(table.dtypes) == list(frame(a_book((BUYER,))).dtypes)
        assert list(table["net_vol"]) == [one.net_vol or 0 for one in rows]
        assert list(table["broker_name"]) == [one.broker_name for one in rows]


def test_a_past_day_has_six_columns() -> None:
    """No prices and no totals, and it says that it is not of now."""
    rows = (HistoryRow(rank=1, side="sell", broker_name="UBS", net_vol=-500),)
    data = HistoryData(code="HK.00700", trading_date="2026-05-08", days_before=1, data_time=CLOSE_S, rows=rows)
    identity: dict[str, Any] = {"source": SOURCE, "id": "HK.00700/history/2026-05-08", "subject": "HK.00700"}
    table = history_frame(HistoryEvent(**identity, time="2026-05-09T01:00:00.000Z", data=data))
    assert list(table.columns) == NINE[:6]
    assert values(table, *NINE[:6]) == [(-500, False, 2, CLOSE_S, CLOSE, "UBS")]


def test_a_change_is_a_row_per_broker_with_its_flow() -> None:
    """The row after it, which event it was and when, and what was traded."""
    flow = Flow(net_vol=200, buy_vol=200, sell_vol=0, turnover=93_100.0, vwap=465.5)
    before = row("buy", 2, "UBS", 300, 465.5, 500.0, 232_750.0)
    change = Change(broker_name="UBS", kinds=("net", "ranked"), before=before, after=BUYER, flow=flow)
    table = events_frame([a_change(change)])
    assert values(table, "code", "event_id", "since", "observed_at") == [("HK.00700", "HK.00700/1/2", 900, 1000)]
    assert values(table, "kinds", "side", "rank", "ordinal") == [("net,ranked", "buy", 1, None)]
    assert_frame_equal(table[NINE], frame(a_book((BUYER,))), check_dtype=False)
    flows = [f"flow_{name}" for name in ("net_vol", "buy_vol", "sell_vol", "turnover", "vwap")]
    assert list(table.columns[-5:]) == flows
    assert values(table, *flows) == [(200, 200, 0, 93_100.0, 465.5)]


def test_a_broker_that_left_is_shown_as_it_was() -> None:
    """Its last row; what it did since is not known, and missing is not zero."""
    gone = Change(broker_name="花旗", kinds=("left",), before=SELLER, after=None, flow=None)
    unknown = row("buy", 1, "UBS", None, None, None, None)
    came = Change(broker_name="UBS", ordinal=1, kinds=("entered",), before=None, after=unknown, flow=None)
    table = events_frame([a_change(came, gone, data_time=None)])
    assert values(table, "broker_name", "kinds", "side", "ordinal", "net_vol", "total_vol", "data_time_str") == [
        ("UBS", "entered", "buy", 1, None, None, None),
        ("花旗", "left", "sell", None, -300, 300.0, None),
    ]
    assert table.filter(like="flow_").isna().all(axis=None)


def test_updates_and_events_of_the_tape_give_the_same_frame() -> None:
    """Whatever is no change has no row."""
    factory = TapeFactory()
    events = [factory.baseline(), factory.change(), factory.rollover(), factory.change(), factory.correction()]
    told = [Update("change", event.subject, event, "1-0", None, is_late=False) for event in events]
    others: list[Event] = [State("state", "HK.00700", None), Status("status", "market", "HK", "open", None)]
    table = events_frame([*others, *told])
    assert_frame_equal(table, events_frame(iter(events)))
    expected = [change.broker_name for event in events if event.kind == "change" for change in changes_of(event)]
    assert list(table["broker_name"]) == expected


def changes_of(event: TapeEvent) -> tuple[Change, ...]:
    """The records of a change event."""
    assert isinstance(event.data, ChangeData)
    return event.data.changes


def test_frames_of_changes_have_the_same_types_with_and_without_rows() -> None:
    """So that they can be joined, and none is special."""
    full, empty = events_frame(TapeFactory().day(3)), events_frame([])
    assert len(empty) == 0
    assert list(full.dtypes) == list(empty.dtypes)
    assert list(full.columns) == list(empty.columns)
    assert_frame_equal(concat([empty, full]), full)


def test_without_pandas_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not an error from the middle of somewhere."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match=r"^frames need pandas: pip install 'brokertape\[pandas\]'$"):
        frame(a_book((BUYER,)))


def test_pandas_is_not_loaded_before_the_first_frame() -> None:
    """A strategy engine that makes none does not pay for it."""
    program = "import sys, brokertape.subscriber; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
