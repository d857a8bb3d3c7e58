"""A stored stretch in order, from both databases."""

from collections.abc import Collection

import pytest
from msgspec.structs import replace

from brokertape.tape.codec import dump
from brokertape.tape.events import TapeEvent
from brokertape.workers.storage.database import open_database, open_readonly
from brokertape.workers.storage.moments import Happened, Moment, PlaybackCounts
from brokertape.workers.storage.playback import LOOK_BACK_DAYS, Stretch, moments, plan_of
from brokertape.workers.storage.storage import Storage
from support.simulated_week import CODES, DAYS, RESTARTED, simulated_week
from support.storages import deliveries
from support.tape_database import alter
from support.tape_factory import FIRST_EPOCH, TapeFactory

DAY_MS = 86_400_000
EVER = 4_000_000_000_000


async def fill(url: str, events: Collection[TapeEvent]) -> None:
    """Store `events`."""
    async with open_database(url) as database:
        await Storage(database).handle(deliveries([*events]))


async def played(
    url: str, begin: int = 0, end: int = EVER, codes: Collection[str] = (), *, read_ahead: int = 4096
) -> tuple[list[Moment], PlaybackCounts]:
    """What happens in a stretch."""
    counts = PlaybackCounts()
    async with open_readonly(url) as database:
        plan = await plan_of(database, Stretch(begin, end, frozenset(codes) or None))
        found = [] if plan is None else [one async for one in moments(database, plan, counts, read_ahead=read_ahead)]
    return found, counts


def events_of(found: Collection[Moment]) -> list[TapeEvent]:
    """The events among moments."""
    return [moment.stored.event for moment in found if isinstance(moment, Happened)]


async def test_a_whole_week_comes_in_the_order_in_which_it_was_observed(database_url: str) -> None:
    """Every event once, byte for byte, over corrections, rollovers and a second epoch; however little is read ahead."""
    week = simulated_week().events
    await fill(database_url, week)
    for read_ahead in (4, 4096):
        found, counts = await played(database_url, read_ahead=read_ahead)
        assert events_of(found) == list(week)
        assert [one.stored.payload for one in found if isinstance(one, Happened)] == [dump(event) for event in week]
        assert (counts.played, counts.holes) == (len(week), 0)
        assert [one.at for one in found] == sorted(one.at for one in found)


async def test_a_stretch_begins_with_the_state_before_it(database_url: str) -> None:
    """Per code from its last complete state on; nothing of later."""
    week = simulated_week().events
    await fill(database_url, week)
    begin = week[0].data.observed_at + 2 * DAY_MS + 3_600_000  # Wednesday, after the rollovers
    end = begin + DAY_MS
    found, counts = await played(database_url, begin, end)
    assert (counts.holes, counts.skipped) == (0, 0)
    for code in CODES:
        of_code = [event for event in week if event.data.code == code and event.data.observed_at < end]
        complete = [event for event in of_code if event.kind != "change" and event.data.observed_at < begin]
        expected = of_code[of_code.index(complete[-1]) :]
        assert [event.id for event in events_of(found) if event.data.code == code] == [one.id for one in expected]


async def test_only_the_named_codes_come(database_url: str) -> None:
    """And None is planned when nothing is there of them."""
    await fill(database_url, simulated_week().events[:200])
    found, _ = await played(database_url, codes=[CODES[1]])
    assert {event.data.code for event in events_of(found)} == {CODES[1]}
    assert (await played(database_url, codes=["HK.09999"]))[0] == []
    assert (await played(database_url, begin=EVER - 1))[0] == []


async def test_the_order_of_a_code_is_that_of_its_numbers(database_url: str) -> None:
    """A later epoch that was observed earlier, by a clock that was behind, comes later all the same."""
    factory = TapeFactory()
    events = factory.day(3)
    later = factory.new_epoch()
    behind = replace(later, data=replace(later.data, observed_at=FIRST_EPOCH + 2500))
    await fill(database_url, [behind, *events])
    assert [event.id for event in events_of((await played(database_url))[0])] == [one.id for one in [*events, behind]]


async def test_what_lies_behind_a_hole_is_left_out_up_to_a_complete_state(database_url: str) -> None:
    """A row that is gone, and one that cannot be read."""
    factory = TapeFactory()
    events = [*factory.day(4), factory.rollover(), *(factory.change() for _ in range(4))]
    await fill(database_url, events)
    alter(database_url, f"DELETE FROM events WHERE id = '{events[2].id}'")
    alter(database_url, f"UPDATE events SET payload = '{{}}' WHERE id = '{events[7].id}'")
    found, counts = await played(database_url)
    assert [event.data.seq for event in events_of(found)] == [1, 2, 6, 7]
    assert (counts.holes, counts.skipped) == (2, 4)


@pytest.mark.parametrize(("days", "played_before"), [(LOOK_BACK_DAYS - 1, 3), (LOOK_BACK_DAYS, 0)])
async def test_how_far_back_a_state_is_looked_for_is_bounded(database_url: str, days: int, played_before: int) -> None:
    """A code that nothing was told of for two weeks begins with its next complete state."""
    factory, other = TapeFactory(), TapeFactory("HK.00005", epoch=FIRST_EPOCH + LOOK_BACK_DAYS * DAY_MS)
    await fill(database_url, [*factory.day(2), *other.day(1)])
    begin = FIRST_EPOCH + days * DAY_MS + 2000
    found, _ = await played(database_url, begin, EVER)
    assert sum(event.data.code == factory.code for event in events_of(found)) == played_before


async def test_a_code_without_a_state_before_the_stretch_begins_within_it(database_url: str) -> None:
    """What came before it is not read in vain, and not counted."""
    factory = TapeFactory()
    events = [*factory.day(5), factory.correction(), factory.change()]
    await fill(database_url, events[1:])
    found, counts = await played(database_url, events[4].data.observed_at, EVER)
    assert events_of(found) == events[6:]
    assert (counts.holes, counts.skipped) == (1, 2)


async def test_an_epoch_without_a_state_comes_after_the_one_before_it(database_url: str) -> None:
    """Its baseline is lost: it is left out up to the complete state within the stretch."""
    factory = TapeFactory()
    before, _lost, change = factory.day(2), factory.new_epoch(), factory.change()
    correction = factory.correction()
    await fill(database_url, [*before, change, correction])
    found, counts = await played(database_url, correction.data.observed_at, EVER)
    assert events_of(found) == [*before, correction]
    assert (counts.holes, counts.skipped) == (1, 1)


async def test_a_restart_within_the_stretch_is_played(database_url: str) -> None:
    """Both epochs of the code, the second from its baseline."""
    week = simulated_week().events
    await fill(database_url, week)
    thursday = [event for event in week if event.data.trading_date == DAYS[3].isoformat()]
    begin, end = thursday[0].data.observed_at, thursday[-1].data.observed_at + 1
    found, counts = await played(database_url, begin, end, [RESTARTED])
    assert len({event.data.epoch for event in events_of(found)}) == 2
    assert counts.holes == 0
