"""Books built from events: any order, any repeats, the same end."""

import random
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from brokertape.tape.events import TapeEvent
from brokertape.tape.rows import Row
from brokertape.workers.storage.books import BookState, Refusal, Shelf, step
from support.tape_factory import TapeFactory

CODE = "HK.00700"


def tape(steps: Sequence[str]) -> list[TapeEvent]:
    """A baseline, then one event per step."""
    factory = TapeFactory(CODE)
    return [factory.baseline(), *(getattr(factory, name)() for name in steps)]


class Store:
    """The database's part: events by id, and the book of one code."""

    def __init__(self) -> None:
        self.events: dict[str, TapeEvent] = {}
        self.book: BookState | None = None
        self.broken = 0
        self.waiting = 0

    def take(self, batch: Sequence[TapeEvent]) -> None:
        """What a transaction does."""
        self.events |= {event.id: event for event in batch}
        shelf = Shelf(batch, [self.book] if self.book else [])
        while stored := {name: self.events[name] for name in shelf.wanted & self.events.keys()}:
            shelf.carry_on(stored)
        for book in shelf.moved:
            self.book = book
        self.broken += len(shelf.broken)
        self.waiting = shelf.waiting


def stored(batches: Iterable[Sequence[TapeEvent]]) -> Store:
    """The store after all `batches`."""
    store = Store()
    for batch in batches:
        store.take(batch)
    return store


def altered(event: TapeEvent, **values: object) -> TapeEvent:
    """`event` with other data."""
    return replace(event, data=replace(event.data, **values))


STEPS = st.lists(st.sampled_from(["change", "change", "change", "rollover", "correction", "new_epoch"]), max_size=12)


@given(STEPS)
def test_in_order_the_book_is_the_last_table(steps: list[str]) -> None:
    """Every event moves it, and its rows are the publisher's."""
    factory = TapeFactory(CODE)
    events = [factory.baseline(), *(getattr(factory, name)() for name in steps)]
    store = stored([event] for event in events)
    assert store.book is not None
    assert store.book.rows == factory.rows
    assert (store.book.event_id, store.book.hash) == (events[-1].id, events[-1].data.hash)
    assert store.broken == 0


@given(STEPS, st.randoms(use_true_random=False), st.integers(1, 5), st.integers(0, 6))
def test_order_and_repeats_do_not_matter(steps: list[str], chance: random.Random, size: int, repeats: int) -> None:
    """Shuffled, repeated and cut into any batches, the events end in the same book."""
    events = tape(steps)
    arrivals = events + chance.choices(events, k=repeats)
    chance.shuffle(arrivals)
    batches = [arrivals[at : at + size] for at in range(0, len(arrivals), size)]
    assert stored(batches).book == stored([[event] for event in events]).book


@given(STEPS, st.randoms(use_true_random=False), st.integers(1, 5))
def test_the_book_depends_on_what_is_stored_only(steps: list[str], chance: random.Random, size: int) -> None:
    """With events missing for good it stands still or goes on at the next complete one, whatever the order."""
    events = [event for event in tape(steps) if chance.random() < 0.7]
    shuffled = chance.sample(events, len(events))
    batches = [shuffled[at : at + size] for at in range(0, len(shuffled), size)]
    assert stored(batches).book == stored([[event] for event in events]).book


def test_a_missing_change_holds_the_book_and_is_counted() -> None:
    """No state that the gateway never showed; the rest waits for the missing one."""
    baseline, first, second, third = tape(["change"] * 3)
    store = stored([[baseline], [second, third]])
    assert store.book is not None
    assert (store.book.seq, store.waiting) == (1, 2)
    store.take([first])
    assert (store.book.seq, store.waiting) == (4, 0)


@pytest.mark.parametrize("step_name", ["rollover", "correction", "new_epoch"])
def test_a_complete_state_does_not_wait(step_name: str) -> None:
    """It replaces whatever is there, with changes missing before it."""
    events = tape(["change", step_name])
    store = stored([[events[0]], [events[2]]])
    assert store.book is not None
    assert store.book.event_id == events[2].id


def test_an_older_epoch_is_old() -> None:
    """What comes late from before a new baseline changes nothing."""
    events = tape(["change", "new_epoch"])
    book = stored([[events[2]]]).book
    assert step(book, events[1]) is Refusal.OLD


def test_a_change_of_a_later_epoch_waits_for_its_baseline() -> None:
    """Its `prev_seq` counts in its own epoch."""
    events = tape(["change", "new_epoch", "change", "change"])
    book = stored([events[:2]]).book
    assert book is not None
    assert events[4].data.prev_seq == book.seq
    assert step(book, events[4]) is Refusal.WAITS


@pytest.mark.parametrize("position", [1, 2], ids=["change", "rollover"])
def test_a_wrong_hash_moves_nothing(position: int) -> None:
    """The book stays at the last good state, is reported once, and goes on at the next complete one."""
    events = tape(["change", "rollover", "change", "correction"])
    events[position] = altered(events[position], hash="0" * 16)
    store = stored([event] for event in events[: position + 1])
    assert store.book is not None
    assert store.book.event_id == events[position - 1].id
    store.take([events[3]])
    assert store.broken == 1
    store.take([events[4]])
    assert store.book.event_id == events[4].id


def test_a_change_that_does_not_fit_moves_nothing() -> None:
    """Its `before` is not in the book: applying it would invent a table."""
    baseline, change = tape(["change"])
    other = TapeFactory(CODE, seed=9).baseline()
    store = stored([[other], [change]])
    assert store.book is not None
    assert store.book.rows == other.data.rows  # type: ignore[union-attr]
    assert store.broken == 1
    assert baseline.id == other.id


def test_a_broken_event_met_while_carrying_on_is_reported_once() -> None:
    """It had waited; the one before it came; later events do not report it again."""
    events = tape(["change"] * 4)
    events[2] = altered(events[2], hash="0" * 16)
    store = stored([[events[0]], [events[2]], [events[1]]])
    assert store.broken == 1
    store.take([events[3]])
    store.take([events[4]])
    assert store.broken == 1


def test_codes_do_not_touch_each_other() -> None:
    """A batch over two codes moves both books."""
    one, two = TapeFactory("HK.00001"), TapeFactory("HK.00002")
    shelf = Shelf([one.baseline(), two.baseline(), two.change()], [])
    rows: dict[str, tuple[Row, ...]] = {book.code: book.rows for book in shelf.moved}
    assert rows == {"HK.00001": one.rows, "HK.00002": two.rows}
