"""The tape in a database, without Redis: what one batch leaves behind."""

import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
from msgspec.structs import asdict, replace

from brokertape.tape.events import ChangeEvent, RolloverEvent, TapeEvent
from brokertape.workers.delivery import Delivery
from brokertape.workers.storage.database import open_database
from brokertape.workers.storage.errors import DatabaseBroken, Unstorable
from brokertape.workers.storage.storage import Storage, StoredPositions
from support import tape_database
from support.storages import deliveries
from support.tape_factory import FIRST_EPOCH, TapeFactory

Query = Callable[[str], list[Any]]


def with_closing(event: TapeEvent, **values: object) -> TapeEvent:
    """A rollover that closes another list."""
    assert isinstance(event, RolloverEvent)
    closing = replace(event.data.closing, **values)
    return replace(event, data=replace(event.data, closing=closing))


@pytest.fixture
async def storage(database_url: str) -> AsyncIterator[Storage]:
    """A storage on an empty database."""
    async with open_database(database_url) as database:
        yield Storage(database)


@pytest.fixture
def query(database_url: str) -> Query:
    """Reads as another process would."""
    return partial(tape_database.query, database_url)


async def test_an_event_is_stored_with_its_exact_payload(storage: Storage, query: Query) -> None:
    """Envelope and data in columns, and the JSON byte for byte."""
    [delivery] = deliveries([TapeFactory().baseline()])
    await storage.handle([delivery])
    [row] = query("SELECT * FROM events")
    data = asdict(delivery.event.data)
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
    assert json.loads(book["list_rows"]) == [asdict(row) for row in factory.rows]
    assert (book["event_id"], book["trading_date"]) == (events[-1].id, factory.trading_date)
    assert storage.counts.broken == 0
    assert storage.counts.waited > 0


async def test_a_value_that_does_not_fit_takes_back_the_whole_batch(storage: Storage, query: Query) -> None:
    """One transaction: the good neighbour is not half stored; the event is to blame, not the database."""
    factory = TapeFactory()
    baseline, change = factory.baseline(), factory.change()
    huge = replace(change, data=replace(change.data, data_time=2**63))
    with pytest.raises(Unstorable, match="cannot hold a value"):
        await storage.handle(deliveries([baseline, huge]))
    assert query("SELECT * FROM events") == query("SELECT * FROM books") == []
    await storage.handle(deliveries([baseline, change]))
    assert len(query("SELECT * FROM events")) == 2


@pytest.mark.parametrize("name", ["a\0b", "\ud800"], ids=["NUL", "surrogate"])
async def test_a_name_that_is_no_text_is_held_against_its_event(postgresql_url: str, name: str) -> None:
    """Neither can stand in PostgreSQL; the entry is to blame and not the database."""
    factory = TapeFactory()
    baseline, change = factory.baseline(), factory.change()
    assert isinstance(change, ChangeEvent)
    odd = replace(change.data.changes[0], broker_name=name)
    changed = replace(change, data=replace(change.data, changes=(odd,)))
    batch: list[Delivery] = [*deliveries([baseline]), Delivery(deliveries([change])[0].entry, changed)]
    async with open_database(postgresql_url) as database:
        with pytest.raises(Unstorable, match=r"^database \w+ at "):
            await Storage(database).handle(batch)
    assert tape_database.count(postgresql_url) == 0


async def test_a_rank_beyond_32_bits_is_kept(storage: Storage, query: Query) -> None:
    """A binary COPY into a smaller column would cut it without a word."""
    factory = TapeFactory()
    row = replace(factory.rows[0], rank=2**31)
    await storage.handle(deliveries([with_closing(factory.rollover(), rows=(row,))]))
    assert [row["rank"] for row in query("SELECT rank FROM close_rows")] == [2**31]


async def test_altered_tables_are_the_databases_fault(storage: Storage, database_url: str) -> None:
    """No event is blamed for them: dead-lettering the tape one by one would help nobody."""
    tape_database.alter(database_url, "DROP TABLE changes")
    with pytest.raises(DatabaseBroken, match=r"no such table: changes|relation \"changes\" does not exist"):
        await storage.handle(deliveries(TapeFactory().day(2)))


async def test_an_event_that_breaks_its_book_is_stored_all_the_same(storage: Storage, query: Query) -> None:
    """The record of what was published stays complete; the book stays at the last good state."""
    factory = TapeFactory()
    baseline, change = factory.baseline(), factory.change()
    wrong = replace(change, data=replace(change.data, hash="0" * 16))
    await storage.handle(deliveries([baseline, wrong]))
    assert len(query("SELECT * FROM events")) == 2
    assert [row["event_id"] for row in query("SELECT * FROM books")] == [baseline.id]
    assert storage.counts.broken == 1


async def test_positions_belong_to_a_group(database_url: str) -> None:
    """They survive the process, the later one counts, and groups do not see each other's."""
    async with open_database(database_url) as database:
        await StoredPositions(database, "one").save({0: "1-0", 1: "1-0"})
        await StoredPositions(database, "one").save({1: "2-0"})
        await StoredPositions(database, "two").save({0: "9-0"})
    async with open_database(database_url) as database:
        assert await StoredPositions(database, "one").load() == {0: "1-0", 1: "2-0"}


async def test_a_rollover_closes_its_day(storage: Storage, query: Query) -> None:
    """The last list of the old date is kept, once, in full."""
    factory = TapeFactory()
    events = [*factory.day(3), factory.rollover(), factory.rollover()]
    closing = [event.data.closing for event in events if isinstance(event, RolloverEvent)]
    await storage.handle(deliveries(events))
    await storage.handle(deliveries(events))
    rows = query("SELECT * FROM closes ORDER BY trading_date")
    assert [(row["trading_date"], row["event_id"]) for row in rows] == [
        (one.trading_date, event.id) for one, event in zip(closing, events[-2:], strict=True)
    ]
    kept = query("SELECT * FROM close_rows ORDER BY trading_date, side, rank")
    assert [row for row in kept if row.pop("code")] == [
        {"trading_date": one.trading_date, **asdict(row)} for one in closing for row in one.rows
    ]


@pytest.mark.parametrize("is_one_batch", [True, False])
async def test_the_first_close_of_a_day_stays_whole(storage: Storage, query: Query, is_one_batch: bool) -> None:
    """A second rollover of the same day, in a later epoch, does not mix its rows into those of the first."""
    first, second = TapeFactory(seed=1), TapeFactory(seed=2, epoch=FIRST_EPOCH + 1)
    rollovers = [first.rollover(), second.rollover()]
    rollovers[0] = with_closing(rollovers[0], rows=TapeFactory().rows[:1])
    for batch in [rollovers] if is_one_batch else [[one] for one in rollovers]:
        await storage.handle(deliveries(batch))
    assert [row["event_id"] for row in query("SELECT * FROM closes")] == [rollovers[0].id]
    assert len(query("SELECT * FROM close_rows")) == 1
