"""The list of a code at a moment of the past."""

from itertools import count, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from brokertape.tape.events import TapeEvent
from brokertape.tape.rows import Row
from brokertape.workers.storage import as_of
from brokertape.workers.storage.as_of import book_as_of
from brokertape.workers.storage.database import open_database, open_readonly
from brokertape.workers.storage.errors import EventBroken, EventMissing, NeverSeen
from brokertape.workers.storage.storage import Storage
from support.storages import deliveries
from support.tape_database import alter
from support.tape_factory import FIRST_EPOCH, TapeFactory

CODE = "HK.00700"
STAMPS = ("epoch", "seq", "trading_date", "data_time", "observed_at", "hash")

_numbers = count(1)


async def fill(url: str, events: list[TapeEvent]) -> None:
    """Store `events`."""
    async with open_database(url) as database:
        await Storage(database).handle(deliveries(events))


async def rows_at(url: str, at: int, code: str = CODE) -> tuple[Row, ...]:
    """The rows of `code` at a moment, as a reader finds them."""
    async with open_readonly(url) as database:
        return (await book_as_of(database, code, at)).rows


@pytest.mark.parametrize("chunk", [1, 3, as_of.CHUNK])
@given(
    makers=st.lists(
        st.sampled_from(["change", "change", "change", "rollover", "correction", "new_epoch"]), max_size=12
    ),
    others=st.integers(0, 3),
)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_list_is_that_of_the_last_event_by_then(
    database_url: str, chunk: int, makers: list[str], others: int
) -> None:
    """At, just before and just after every event of any tape: rows, place and stamps."""
    factory, neighbour = (TapeFactory(f"HK.{next(_numbers):05}") for _ in range(2))
    events, tables = [factory.baseline()], [factory.rows]
    for maker in makers:
        events.append(getattr(factory, maker)())
        tables.append(factory.rows)
    await fill(database_url, [*events, *neighbour.day(others)])
    async with open_readonly(database_url) as database:
        for (event, rows), late in product(zip(events, tables, strict=True), (0, 1, 999)):
            book = await book_as_of(database, factory.code, event.data.observed_at + late, chunk=chunk)
            assert (book.event_id, book.rows) == (event.id, rows)
            stamps = {name: getattr(event.data, name) for name in STAMPS}
            assert {name: getattr(book, name) for name in STAMPS} == stamps
        with pytest.raises(NeverSeen):
            await book_as_of(database, factory.code, events[0].data.observed_at - 1)


async def test_a_code_that_was_never_seen_is_one_clear_line(database_url: str) -> None:
    """It says which code and by when."""
    await fill(database_url, TapeFactory().day(1))
    with pytest.raises(NeverSeen, match=r"no event of HK\.00005 that was observed by 2026-05-08T00:00:00\.000Z$"):
        await rows_at(database_url, FIRST_EPOCH, "HK.00005")


@pytest.mark.parametrize("lost", [1, 2, 3])
async def test_a_missing_event_is_named(database_url: str, lost: int) -> None:
    """The list after it is not made up; before it, and from the next complete one on, it is known."""
    factory = TapeFactory()
    events = [*factory.day(4), factory.correction(), factory.change()]
    await fill(database_url, [*events[:lost], *events[lost + 1 :]])
    assert await rows_at(database_url, events[lost - 1].data.observed_at)
    with pytest.raises(EventMissing, match=f"event {events[lost].id} is not stored") as raised:
        await rows_at(database_url, events[4].data.observed_at)
    assert raised.value.event_id == events[lost].id
    assert await rows_at(database_url, events[-1].data.observed_at) == factory.rows


async def test_a_lost_baseline_is_named(database_url: str) -> None:
    """There is nothing that the changes after it could apply to."""
    baseline, *rest = TapeFactory().day(3)
    await fill(database_url, rest)
    with pytest.raises(EventMissing, match=f"event {baseline.id} is not stored"):
        await rows_at(database_url, rest[-1].data.observed_at)


@pytest.mark.parametrize("place", [0, 2])
async def test_an_event_that_does_not_lead_to_its_hash_is_named(database_url: str, place: int) -> None:
    """A complete state as well as a change: what is shown is what was published, or nothing."""
    events = TapeFactory().day(3)
    data = replace(events[place].data, hash="0" * 16)
    events[place] = replace(events[place], data=data)
    await fill(database_url, events)
    with pytest.raises(EventBroken, match=f"event {events[place].id} does not lead to the rows"):
        await rows_at(database_url, events[-1].data.observed_at)


async def test_an_altered_payload_is_named(database_url: str) -> None:
    """What cannot be read is no event any more."""
    events = TapeFactory().day(3)
    await fill(database_url, events)
    alter(database_url, f"UPDATE events SET payload = 'x' WHERE id = '{events[2].id}'")
    with pytest.raises(EventBroken, match=f"event {events[2].id}"):
        await rows_at(database_url, events[-1].data.observed_at)
