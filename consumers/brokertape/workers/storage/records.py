"""Events as rows of the tables: tuples in the order of the tables' columns, and back."""

from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import RowMapping

from brokertape.tape.changes import Change, Flow
from brokertape.tape.events import ChangeEvent, TapeEvent
from brokertape.tape.rows import Row
from brokertape.workers.delivery import Delivery
from brokertape.workers.storage.books import BookState

Value = str | int | float | None

_ROWS: TypeAdapter[tuple[Row, ...]] = TypeAdapter(tuple[Row, ...])


def event_record(delivery: Delivery) -> tuple[Value, ...]:
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


def change_records(event: TapeEvent) -> Iterator[tuple[Value, ...]]:
    """The rows of `changes`: none for an event that is complete state."""
    if isinstance(event, ChangeEvent):
        for index, change in enumerate(event.data.changes):
            yield (event.id, index, *_change_values(change))


def _change_values(change: Change) -> Iterator[Value]:
    yield from (change.broker_name, change.ordinal, ",".join(change.kinds))
    for name in ("side", "rank", "net_vol", "avg_price", "total_vol", "total_turnover"):
        for row in (change.before, change.after):
            yield None if row is None else getattr(row, name)
    for name in Flow.model_fields:
        yield None if change.flow is None else getattr(change.flow, name)


def book_record(book: BookState) -> tuple[Value, ...]:
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
        _ROWS.dump_json(book.rows).decode(),
    )


def book_state(record: RowMapping) -> BookState:
    """The book in a row of `books`."""
    values: dict[str, Any] = dict(record)
    rows = _ROWS.validate_json(values.pop("list_rows"))
    return BookState(rows=rows, **values)
