"""One code lived through again: what is played, when, and what a hole leaves out."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from brokertape.tape.codec import dump
from brokertape.tape.events import TapeEvent
from brokertape.tape.rows import hash_rows
from brokertape.workers.storage.moments import Happened, Line, Moment, PlaybackCounts, Seen, StoredEvent
from support.tape_factory import TapeFactory

MAKERS = ["change", "change", "change", "rollover", "correction", "new_epoch"]


def lived(events: list[TapeEvent]) -> tuple[list[Moment], PlaybackCounts]:
    """What comes of `events`, and the counts."""
    counts = PlaybackCounts()
    line = Line("HK.00700", counts)
    return [moment for event in events for moment in line.take(StoredEvent(event, dump(event)))], counts


def ids(moments: list[Moment]) -> list[str]:
    """Ids of the events that happened."""
    return [moment.stored.event.id for moment in moments if isinstance(moment, Happened)]


def at(event: TapeEvent, **stamps: int | None) -> TapeEvent:
    """`event` with other stamps."""
    return replace(event, data=replace(event.data, **stamps))


@given(makers=st.lists(st.sampled_from(MAKERS), max_size=15), lost=st.sets(st.integers(0, 15), max_size=4))
def test_whatever_is_lost_what_is_played_leads_to_its_hash(makers: list[str], lost: set[int]) -> None:
    """Played is what has all it needs: a complete state, or a change right after one that is played."""
    factory = TapeFactory()
    events = [factory.baseline(), *(getattr(factory, maker)() for maker in makers)]
    kept = [event for number, event in enumerate(events) if number not in lost]
    expected, last = [], None
    for event in kept:
        if event.kind != "change" or last == (event.data.epoch, event.data.prev_seq):
            expected.append(event.id)
            last = (event.data.epoch, event.data.seq)
    moments, counts = lived(kept)
    assert ids(moments) == expected
    assert (counts.played, counts.skipped) == (len(expected), len(kept) - len(expected))
    assert all(hash_rows(one.rows) == one.stored.event.data.hash for one in moments if isinstance(one, Happened))


def test_a_hole_is_counted_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Until the next complete state, however many events lie behind it."""
    factory = TapeFactory()
    first, lost, *rest = factory.day(4)
    with caplog.at_level(logging.WARNING):
        moments, counts = lived([first, *rest, factory.correction(), factory.change()])
    assert ids(moments) == [first.id, *(f"HK.00700/{factory.epoch}/{seq}" for seq in (6, 7))]
    assert (counts.holes, counts.skipped) == (1, 3)
    [record] = caplog.records
    assert f"what led to {rest[0].id} is not stored whole" in record.message
    assert lost.id not in record.message


def test_a_code_full_of_holes_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """The count has the others."""
    factory = TapeFactory()
    events = [factory.baseline()]
    for _ in range(3):
        factory.change()  # lost
        events += [factory.change(), factory.correction()]
    with caplog.at_level(logging.WARNING):
        _, counts = lived(events)
    assert (counts.holes, len(caplog.records)) == (3, 1)


def test_a_complete_state_behind_a_missing_event_is_a_hole_too() -> None:
    """Nothing is left out, but a subscriber will have to be told."""
    factory = TapeFactory()
    first, _lost = factory.day(1)
    moments, counts = lived([first, factory.rollover()])
    assert len(ids(moments)) == 2
    assert (counts.holes, counts.skipped) == (1, 0)


def test_a_look_that_found_nothing_is_known_by_the_next_event() -> None:
    """`since` is when the list was asked for; it was the one before, and no earlier look is made up."""
    factory = TapeFactory()
    baseline, change = factory.day(1)
    seen = baseline.data.observed_at + 400
    moments, _ = lived([baseline, at(change, since=seen)])
    assert moments[1] == Seen(seen, "HK.00700")
    assert [type(one) for one in moments] == [Happened, Seen, Happened]
    assert [type(one) for one in lived([baseline, at(change, since=baseline.data.observed_at - 5)])[0]] == [
        Happened,
        Happened,
    ]


def test_nothing_happens_before_what_it_comes_after() -> None:
    """The clock of who began the new epoch was behind."""
    factory = TapeFactory()
    baseline = factory.baseline()
    behind = at(factory.new_epoch(), observed_at=baseline.data.observed_at - 500)
    assert [one.at for one in lived([baseline, behind])[0]] == [baseline.data.observed_at] * 2
