"""The tape in a database, without Redis: what one batch leaves behind."""

import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from brokertape.tape.codec import dump
from brokertape.tape.events import ChangeEvent, TapeEvent
from brokertape.workers.delivery import Delivery, Entry
from brokertape.workers.storage.database import open_database
from brokertape.workers.storage.errors import DatabaseBroken, Unstorable
from brokertape.workers.storage.storage import Storage, StoredPositions
from support.tape_factory import TapeFactory

Query = Callable[[str], list[Any]]


def deliveries(events: Sequence[TapeEvent]) -> list[Delivery]:
    """`events` as a worker hands them over."""
    return [Delivery(Entry(0, f"{n}-0", {b"payload": dump(event)}, 1), event) for n, event in enumerate(events, 1)]


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    """A storage on an empty database."""
    async with open_database(tmp_path / "t.db") as engine:
        yield Storage(engine)


@pytest.fixture
def query(tmp_path: Path) -> Query:
    """Reads as another process would."""

    def run(sql: str) -> list[Any]:
        connection = sqlite3.connect(f"file:{tmp_path / 't.db'}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(sql)]
        finally:
            connection.close()

    return run


async def test_an_event_is_stored_with_its_exact_payload(storage: Storage, query: Query) -> None:
    """Envelope and data in columns, and the JSON byte for byte."""
    [delivery] = deliveries([TapeFactory().baseline()])
    await storage.handle([delivery])
    [row] = query("SELECT * FROM events")
    data = delivery.event.data.model_dump()
    assert row == {
        "id": delivery.event.id,
        "type": "brokertape.baseline.v1",
        "payload": delivery.payload.decode(),
        **{name: data[name] for name in row.keys() - {"id", "type", "payload"}},
    }


async def test_a_repeat_leaves_one_row(storage: Storage, query: Query) -> None:
    """Within a batch and across batches; the counts say so."""
    batch = deliveries(TapeFactory().day(5))
    await storage.handle(batch + batch)
    before = [query(f"SELECT * FROM {table}") for table in ("events", "changes", "books")]
    await storage.handle(batch)
    assert [query(f"SELECT * FROM {table}") for table in ("events", "changes", "books")] == before
    assert len(before[0]) == 6
    assert (storage.counts.events, storage.counts.repeats) == (6, 12)


async def test_every_change_record_is_a_row(storage: Storage, query: Query) -> None:
    """Before and after side by side, the flow beside them, absent rows as NULL."""
    events = TapeFactory().day(30)
    await storage.handle(deliveries(events))
    rows = query("SELECT * FROM changes ORDER BY event_id, change_index")
    records = {
        (event.id, index): change
        for event in events
        if isinstance(event, ChangeEvent)
        for index, change in enumerate(event.data.changes)
    }
    assert {(row["event_id"], row["change_index"]) for row in rows} == records.keys()
    for row in rows:
        change = records[row["event_id"], row["change_index"]]
        assert (row["broker_name"], row["kinds"]) == (change.broker_name, ",".join(change.kinds))
        for when, side in (("before", change.before), ("after", change.after)):
            for name in ("side", "rank", "net_vol", "avg_price", "total_vol", "total_turnover"):
                assert row[f"{name}_{when}"] == (None if side is None else getattr(side, name))
        assert row["flow_net_vol"] == (None if change.flow is None else change.flow.net_vol)


async def test_the_book_is_the_latest_table(storage: Storage, query: Query) -> None:
    """Its rows are those of the publisher, across batches that come the wrong way round."""
    factory = TapeFactory()
    events = [*factory.day(4), factory.rollover(), *(factory.change() for _ in range(4))]
    for event in reversed(events):
        await storage.handle(deliveries([event]))
    [book] = query("SELECT * FROM books")
    assert json.loads(book["list_rows"]) == [row.model_dump() for row in factory.rows]
    assert (book["event_id"], book["trading_date"]) == (events[-1].id, factory.trading_date)
    assert storage.counts.broken == 0
    assert storage.counts.waited > 0


async def test_a_value_that_does_not_fit_takes_back_the_whole_batch(storage: Storage, query: Query) -> None:
    """One transaction: the good neighbour is not half stored; the event is to blame, not the database."""
    factory = TapeFactory()
    baseline, change = factory.baseline(), factory.change()
    data = change.data.model_copy(update={"data_time": 2**63})
    huge = change.model_copy(update={"data": data})
    with pytest.raises(Unstorable, match="cannot hold a value"):
        await storage.handle(deliveries([baseline, huge]))
    assert query("SELECT * FROM events") == query("SELECT * FROM books") == []
    await storage.handle(deliveries([baseline, change]))
    assert len(query("SELECT * FROM events")) == 2


async def test_altered_tables_are_the_databases_fault(storage: Storage, tmp_path: Path) -> None:
    """No event is blamed for them: dead-lettering the tape one by one would help nobody."""
    with sqlite3.connect(tmp_path / "t.db") as other:
        other.execute("DROP TABLE changes")
    other.close()
    with pytest.raises(DatabaseBroken, match="no such table"):
        await storage.handle(deliveries(TapeFactory().day(2)))


async def test_an_event_that_breaks_its_book_is_stored_all_the_same(storage: Storage, query: Query) -> None:
    """The record of what was published stays complete; the book stays at the last good state."""
    factory = TapeFactory()
    baseline, change = factory.baseline(), factory.change()
    wrong = change.model_copy(update={"data": change.data.model_copy(update={"hash": "0" * 16})})
    await storage.handle(deliveries([baseline, wrong]))
    assert len(query("SELECT * FROM events")) == 2
    assert [row["event_id"] for row in query("SELECT * FROM books")] == [baseline.id]
    assert storage.counts.broken == 1


async def test_positions_belong_to_a_group(tmp_path: Path) -> None:
    """They survive the process, the later one counts, and groups do not see each other's."""
    async with open_database(tmp_path / "t.db") as engine:
        await StoredPositions(engine, "one").save({0: "1-0", 1: "1-0"})
        await StoredPositions(engine, "one").save({1: "2-0"})
        await StoredPositions(engine, "two").save({0: "9-0"})
    async with open_database(tmp_path / "t.db") as engine:
        assert await StoredPositions(engine, "one").load() == {0: "1-0", 1: "2-0"}
