"""Events as rows of the tables: tuples in the order of the tables' columns, and back."""

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

from msgspec.json import Decoder, Encoder
from sqlalchemy import RowMapping

from brokertape.tape.changes import Flow
from brokertape.tape.events import ChangeEvent, HistoryEvent, RolloverEvent, TapeEvent
from brokertape.tape.rows import Row
from brokertape.workers.delivery import Delivery
from brokertape.workers.storage.books import BookState
from brokertape.workers.storage.port import Record

_ENCODER = Encoder()
_ROWS: Decoder[tuple[Row, ...]] = Decoder(tuple[Row, ...])


def event_record(delivery: Delivery) -> Record:
    """The row of `events`."""
    event, data = delivery.event, delivery.event.data
    return (
        event.id,
        event.type,
        data.code,
        data.epoch,
        data.seq,
        data.trading_date,
        data.data_time,
        data.since,
        data.observed_at,
        data.published_at,
        data.hash,
        delivery.payload.decode(),
    )


# At C's speed: seven changes an event, of some twenty columns each, took half of the time that storing them takes.
_ROW_VALUES: Callable[[Row], Record] = attrgetter("side", "rank", "net_vol", "avg_price", "total_vol", "total_turnover")
_FLOW_VALUES: Callable[[Flow], Record] = attrgetter(*Flow.__struct_fields__)
_NO_ROW: Record = (None,) * 6
_NO_FLOW: Record = (None,) * len(Flow.__struct_fields__)


def change_records(event: TapeEvent) -> Iterator[Record]:
    """The rows of `changes`: none for an event that is complete state."""
    if isinstance(event, ChangeEvent):
        for index, change in enumerate(event.data.changes):
            before = _NO_ROW if change.before is None else _ROW_VALUES(change.before)
            after = _NO_ROW if change.after is None else _ROW_VALUES(change.after)
            flow = _NO_FLOW if change.flow is None else _FLOW_VALUES(change.flow)
            kinds = change.kinds[0] if len(change.kinds) == 1 else ",".join(change.kinds)
            yield (event.id, index, change.broker_name, change.ordinal, kinds, *before, *after, *flow)


def close_record(event: RolloverEvent) -> Record:
    """The row of `closes`."""
    closing = event.data.closing
    return (event.data.code, closing.trading_date, event.id, closing.data_time)


def close_row_records(event: RolloverEvent) -> Iterator[Record]:
    """The rows of `close_rows`."""
    for row in event.data.closing.rows:
        yield (event.data.code, event.data.closing.trading_date, row.side, row.rank, row.broker_name, *row.numbers)


def history_record(delivery: Delivery[HistoryEvent]) -> Record:
    """The row of `history`."""
    event, data = delivery.event, delivery.event.data
    return (
        event.id,
        data.code,
        data.trading_date,
        data.days_before,
        data.data_time,
        event.source,
        delivery.payload.decode(),
    )


def history_row_records(event: HistoryEvent) -> Iterator[Record]:
    """The rows of `history_rows`."""
    for row in event.data.rows:
        yield (event.data.code, event.data.trading_date, row.side, row.rank, row.broker_name, row.net_vol)


def book_record(book: BookState) -> Record:
    """The row of `books`."""
    return (
        book.code,
        book.epoch,
        book.seq,
        book.event_id,
        book.trading_date,
        book.data_time,
        book.observed_at,
        book.hash,
        _ENCODER.encode(book.rows).decode(),
    )


def book_state(record: RowMapping) -> BookState:
    """The book in a row of `books`."""
    values: dict[str, Any] = dict(record)
    rows = _ROWS.decode(values.pop("list_rows"))
    return BookState(rows=rows, **values)
