"""Lists and changes as pandas data frames. pandas comes with the extra `pandas` and is loaded by the first frame."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from brokertape.subscriber.events import Event, Update
from brokertape.subscriber.view import BookView
from brokertape.tape.changes import Change
from brokertape.tape.events import ChangeEvent, HistoryEvent, HistoryRow, TapeEvent
from brokertape.tape.market_time import HKT
from brokertape.tape.rows import Row

if TYPE_CHECKING:
    from pandas import DataFrame

# The vendor's columns, in the vendor's order.
_PAST_COLUMNS = ("net_vol", "is_real_time", "buy_sell_type", "data_time", "data_time_str", "broker_name")
_COLUMNS = (*_PAST_COLUMNS, "avg_price", "total_vol", "total_turnover")

_BUY_SELL_TYPE = {"buy": 1, "sell": 2}

# Types that hold every value exactly and know a missing one; the same for every frame, however few rows it has.
_CHANGE_DTYPES = {
    "code": "string",
    "trading_date": "string",
    "event_id": "string",
    "since": "Int64",
    "observed_at": "Int64",
    "kinds": "string",
    "side": "string",
    "rank": "Int64",
    "ordinal": "Int64",
    "net_vol": "Int64",
    "is_real_time": "bool",
    "buy_sell_type": "Int64",
    "data_time": "Int64",
    "data_time_str": "string",
    "broker_name": "string",
    "avg_price": "float64",
    "total_vol": "float64",
    "total_turnover": "float64",
    "flow_net_vol": "Int64",
    "flow_buy_vol": "Int64",
    "flow_sell_vol": "Int64",
    "flow_turnover": "float64",
    "flow_vwap": "float64",
}


def frame(book: BookView) -> "DataFrame":
    """What the vendor's `get_top_ten_buy_sell_brokers` gives for the same list: columns, types and values.

    So a number the gateway left out is 0 and a missing `data_time` 0 and "", as the vendor has it (`book.rows` tells
    them from true zeros), and a list without rows is a frame without columns. Rows are buyers, then sellers, by rank.

    Raises:
        ModuleNotFoundError: pandas is not installed.
    """
    return _as_the_vendor([_now(row, book.data_time) for row in book.rows], _COLUMNS)


def history_frame(event: HistoryEvent) -> "DataFrame":
    """The same for a past day (`days_before` > 0), of which the vendor gives six columns.

    Raises:
        ModuleNotFoundError: pandas is not installed.
    """
    return _as_the_vendor([_past(row, event.data.data_time) for row in event.data.rows], _PAST_COLUMNS)


def events_frame(events: Iterable[Event | TapeEvent]) -> "DataFrame":
    """One row per broker and change event, in the order of `events`; whatever is no change has none.

    - Which event: `code`, `trading_date`, `event_id`; it happened after `since` and before `observed_at` (ms since
      1970).
    - What happened: `kinds`, as in "flipped,net".
    - Who: the vendor's nine columns with `side` and `rank`, as they are after the event, or as they were before it for
      a broker that `left` (which is not trading to zero); `ordinal` tells further brokers of one name apart.
    - What was traded in between: `flow_net_vol`, `flow_buy_vol`, `flow_sell_vol` (shares), `flow_turnover` (HKD) and
      `flow_vwap` (HKD a share).

    What is not known is missing (<NA> or NaN), never 0. Columns and types are the same without any row.

    Raises:
        ModuleNotFoundError: pandas is not installed.
    """
    records = [_change_record(event, change) for event in _change_events(events) for change in event.data.changes]
    return _data_frame()(records, columns=list(_CHANGE_DTYPES), dtype=object).astype(_CHANGE_DTYPES)


def _as_the_vendor(records: list[dict[str, Any]], columns: Iterable[str]) -> "DataFrame":
    """Made as the vendor makes it: pandas chooses the types, so they agree whatever its version."""
    return _data_frame()(records, columns=list(columns)) if records else _data_frame()()


def _now(row: Row, data_time: int | None) -> dict[str, Any]:
    return _past(row, data_time) | {
        "is_real_time": True,
        "avg_price": row.avg_price or 0.0,
        "total_vol": row.total_vol or 0.0,
        "total_turnover": row.total_turnover or 0.0,
    }


def _past(row: Row | HistoryRow, data_time: int | None) -> dict[str, Any]:
    return {
        "net_vol": row.net_vol or 0,
        "is_real_time": False,
        "buy_sell_type": _BUY_SELL_TYPE[row.side],
        "data_time": data_time or 0,
        "data_time_str": _time_text(data_time) or "",
        "broker_name": row.broker_name,
    }


def _change_events(events: Iterable[Event | TapeEvent]) -> Iterator[ChangeEvent]:
    for event in events:
        told = event.event if isinstance(event, Update) else event
        if isinstance(told, ChangeEvent):
            yield told


def _change_record(event: ChangeEvent, change: Change) -> dict[str, Any]:
    data, flow = event.data, change.flow
    row = change.after or change.before
    assert row is not None
    return {
        "code": data.code,
        "trading_date": data.trading_date,
        "event_id": event.id,
        "since": data.since,
        "observed_at": data.observed_at,
        "kinds": ",".join(change.kinds),
        "side": row.side,
        "rank": row.rank,
        "ordinal": change.ordinal,
        "net_vol": row.net_vol,
        "is_real_time": True,
        "buy_sell_type": _BUY_SELL_TYPE[row.side],
        "data_time": data.data_time,
        "data_time_str": _time_text(data.data_time),
        "broker_name": row.broker_name,
        "avg_price": row.avg_price,
        "total_vol": row.total_vol,
        "total_turnover": row.total_turnover,
        **({} if flow is None else {f"flow_{name}": value for name, value in asdict(flow).items()}),
    }


def _time_text(epoch_s: int | None) -> str | None:
    """`2026-05-08 16:00:21`, market time, as the gateway writes it."""
    return None if epoch_s is None else f"{datetime.fromtimestamp(epoch_s, HKT):%Y-%m-%d %H:%M:%S}"


def _data_frame() -> "type[DataFrame]":
    try:
        from pandas import DataFrame
    except ModuleNotFoundError as error:
        if error.name != "pandas":
            raise  # pandas is there and lacks something itself
        raise ModuleNotFoundError("frames need pandas: pip install 'brokertape[pandas]'", name="pandas") from error
    return DataFrame
