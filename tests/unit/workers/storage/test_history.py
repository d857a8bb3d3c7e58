"""Past trading days in a database, without Redis: what one batch leaves behind."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import asdict, replace

from brokertape.tape.codec import dump
from brokertape.workers.storage.database import open_database
from brokertape.workers.storage.errors import Unstorable
from brokertape.workers.storage.history import HistoryStorage
from support.storages import deliveries, past_day
from support.tape_database import query
from support.tape_factory import TapeFactory


@pytest.fixture
async def storage(database_url: str) -> AsyncIterator[HistoryStorage]:
    """A storage on an empty database."""
    async with open_database(database_url) as database:
        yield HistoryStorage(database)


async def test_a_past_day_is_stored_once_with_its_rows(storage: HistoryStorage, database_url: str) -> None:
    """In columns and as the JSON that was published; a repeat adds nothing."""
    factories = [TapeFactory(code) for code in ("HK.00005", "HK.00700")]
    days = [past_day(factory.code, "2026-05-07", factory.rows) for factory in factories]
    await storage.handle(deliveries(days + days))
    await storage.handle(deliveries(days))
    found = query(database_url, "SELECT * FROM history ORDER BY code")
    assert [(row["id"], row["source"], row["payload"]) for row in found] == [
        (day.id, day.source, dump(day).decode()) for day in days
    ]
    assert all(row[name] == getattr(days[0].data, name) for row in found for name in ("days_before", "data_time"))
    rows = query(database_url, "SELECT * FROM history_rows ORDER BY code, side, rank")
    assert rows == [
        {"code": day.data.code, "trading_date": "2026-05-07", **asdict(row)} for day in days for row in day.data.rows
    ]
    assert (storage.counts.events, storage.counts.repeats) == (2, 4)


@pytest.mark.parametrize("is_one_batch", [True, False])
async def test_the_first_answer_for_a_day_stays_whole(
    storage: HistoryStorage, database_url: str, is_one_batch: bool
) -> None:
    """Another publisher's answer of the same id does not mix its rows into it."""
    factory = TapeFactory()
    first = past_day(factory.code, "2026-05-07", factory.rows[:1])
    second = past_day(factory.code, "2026-05-07", factory.rows, source="/opend/other")
    for batch in [[first, second]] if is_one_batch else [[first], [second]]:
        await storage.handle(deliveries(batch))
    assert [row["source"] for row in query(database_url, "SELECT source FROM history")] == [first.source]
    assert len(query(database_url, "SELECT * FROM history_rows")) == 1


async def test_a_value_that_does_not_fit_takes_back_the_whole_batch(storage: HistoryStorage, database_url: str) -> None:
    """One transaction, as for the tape."""
    factory = TapeFactory()
    good = past_day(factory.code, "2026-05-07", factory.rows)
    huge = past_day(factory.code, "2026-05-06", [replace(factory.rows[0], net_vol=2**63)])
    with pytest.raises(Unstorable, match="cannot hold a value"):
        await storage.handle(deliveries([good, huge]))
    assert query(database_url, "SELECT * FROM history") == query(database_url, "SELECT * FROM history_rows") == []
