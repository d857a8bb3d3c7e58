"""What is exported: the rows of a span, in the order of time, and how much of it is behind us."""

import pytest
from msgspec.structs import replace

from brokertape.tape.errors import InvalidPosition
from brokertape.workers.storage import export as exporting
from brokertape.workers.storage.database import open_database, open_readonly
from brokertape.workers.storage.export import batches
from brokertape.workers.storage.exports import CHANGES, CLOSES, EVENTS, EXPORTS, Export, Span, unit_of
from brokertape.workers.storage.storage import Storage
from support.storages import deliveries
from support.tape_factory import FIRST_EPOCH, TapeFactory

DAY_MS = 86_400_000
MARKET_MIDNIGHT = FIRST_EPOCH - 8 * 3_600_000  # of 2026-05-08


@pytest.mark.parametrize(
    ("first", "last", "moments"),
    [
        (None, None, (None, None)),
        ("2026-05-08", None, (MARKET_MIDNIGHT, None)),
        (None, "2026-05-08", (None, MARKET_MIDNIGHT + DAY_MS - 1)),
        (None, "9999-12-31", (None, None)),
        ("2026-05-08 08:00", "2026-05-08T00:00:01.500Z", (FIRST_EPOCH, FIRST_EPOCH + 1500)),
    ],
)
def test_a_span_holds_both_its_ends(
    first: str | None, last: str | None, moments: tuple[int | None, int | None]
) -> None:
    """A date at the end is meant with its whole day; without a zone a time is the market's."""
    assert Span(first, last).moments() == moments


def test_a_table_of_days_takes_dates_alone() -> None:
    """A time would say something about it that is not there."""
    assert Span("2026-05-08", None).dates() == ("2026-05-08", None)
    with pytest.raises(InvalidPosition, match="'2026-05-08 08:00' is no date such as 2026-05-08"):
        Span("2026-05-08 08:00", None).dates()


@pytest.mark.parametrize("export", EXPORTS.values(), ids=EXPORTS)
def test_column_names_are_unique_and_numbers_have_units(export: Export) -> None:
    """But for what counts: ranks, ordinals, places."""
    names = [column.name for column in export.columns]
    assert len(names) == len(set(names))
    without = {column.name for column in export.columns if column.type.python_type is not str and not unit_of(column)}
    assert without <= {"seq", "ordinal", "change_index", "rank", "rank_before", "rank_after"}


async def filled(url: str) -> list[TapeFactory]:
    """A database of two codes, some changes and two closed days each; the makers of its events."""
    factories = [TapeFactory(code) for code in ("HK.00005", "HK.00700")]
    async with open_database(url) as database:
        for factory in factories:
            events = [*factory.day(4), factory.rollover(), factory.change(), factory.rollover()]
            await Storage(database).handle(deliveries(events))
    return factories


async def rows(url: str, export: Export, span: Span, *codes: str) -> list[dict[str, object]]:
    """What is exported, as dictionaries."""
    names = [column.name for column in export.columns]
    async with open_readonly(url) as database:
        found = [row async for batch in batches(database, export, span, codes) for row in batch.rows]
    return [dict(zip(names, row, strict=True)) for row in found]


async def test_rows_are_those_of_the_span_and_the_codes(database_url: str) -> None:
    """By `observed_at`, both ends in it, in the order of time."""
    await filled(database_url)
    span = Span("2026-05-08T00:00:02Z", "2026-05-08T00:00:04Z")
    found = await rows(database_url, EVENTS, span)
    assert [(row["code"], row["seq"]) for row in found] == [
        (code, seq) for seq in (2, 3, 4) for code in ("HK.00005", "HK.00700")
    ]
    assert {row["code"] for row in await rows(database_url, EVENTS, span, "HK.00700")} == {"HK.00700"}
    assert {row["event_id"] for row in await rows(database_url, CHANGES, span)} == {row["id"] for row in found}
    assert await rows(database_url, EVENTS, Span("2027-01-01")) == []


async def test_closing_lists_go_by_their_date(database_url: str) -> None:
    """Row by row, buyers first."""
    await filled(database_url)
    found = await rows(database_url, CLOSES, Span("2026-05-09", "2026-05-09"), "HK.00005")
    assert {(row["code"], row["trading_date"]) for row in found} == {("HK.00005", "2026-05-09")}
    places = [(row["side"], row["rank"]) for row in found]
    assert places == sorted(places, key=str)
    assert len(places) > 2


async def test_a_close_without_rows_is_there(database_url: str) -> None:
    """A list that was empty is not a day that was not seen."""
    factory = TapeFactory()
    rollover = factory.rollover()
    closing = replace(rollover.data.closing, rows=())  # type: ignore[union-attr]
    empty = replace(rollover, data=replace(rollover.data, closing=closing))
    async with open_database(database_url) as database:
        await Storage(database).handle(deliveries([empty]))
    [row] = await rows(database_url, CLOSES, Span())
    assert (row["event_id"], row["side"], row["rank"]) == (empty.id, None, None)


@pytest.mark.parametrize("export", [EVENTS, CLOSES], ids=lambda export: export.name)
async def test_the_share_rises_to_the_whole(database_url: str, export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    """From batch to batch, and is 1 at the end."""
    monkeypatch.setattr(exporting, "BATCH_ROWS", 2)
    await filled(database_url)
    async with open_readonly(database_url) as database:
        found = [(len(batch.rows), batch.share) async for batch in batches(database, export, Span(), ())]
    shares = [share for _, share in found]
    assert max(size for size, _ in found) == 2
    assert shares == sorted(shares)
    assert shares[0] < shares[-1] == 1.0
