"""The book that a reader holds, moved on by the tape."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from brokertape.cli.held_book import BEHIND_MS, HeldBook, Verdict, advance
from brokertape.publisher.step import Append, Base, next_step
from brokertape.tape.book import Book
from brokertape.tape.events import TapeEvent, WatermarkEntry
from brokertape.tape.rows import Row
from support.tables import row, snapshot, tables

Rows = tuple[Row, ...]

START = 1_778_227_221_000


def published(lists: list[Rows]) -> tuple[list[TapeEvent], list[Book]]:
    """The events that polls with these rows lead to, and the books after them. Entry n has the id `<n>-0`."""
    events: list[TapeEvent] = []
    books: list[Book] = []
    base = Base(None)
    for number, rows in enumerate(lists):
        poll = snapshot(rows, at=START + 1000 * number)
        step = next_step(base, poll, commit="c", source="/opend/x", now=poll.observed_at)
        if isinstance(step, Append):
            events.append(step.event)
            books.append(step.book.model_copy(update={"entry_id": f"{len(events)}-0", "server": "s"}))
            base = Base(books[-1])
    return events, books


LISTS = st.lists(tables(max_rows=4), min_size=1, max_size=6)


@given(LISTS, st.integers(0, 5))
def test_whoever_joins_anywhere_ends_with_the_last_book(lists: list[Rows], joins_at: int) -> None:
    """With a book read at any moment, or none, and every entry from the first: nothing is missing or doubled."""
    events, books = published(lists)
    held = None if joins_at >= len(books) else HeldBook.of(books[joins_at])
    for number, event in enumerate(events, 1):
        held, verdict = advance(held, event, f"{number}-0")
        assert verdict is not Verdict.REREAD
    assert held == HeldBook.of(books[-1])


@given(LISTS, st.data())
def test_a_missing_entry_is_noticed_at_the_next(lists: list[Rows], data: st.DataObject) -> None:
    """Whatever is missing: a book that has a hole is never shown."""
    events, books = published(lists)
    missing = data.draw(st.integers(0, len(events) - 1))
    held: HeldBook | None = HeldBook.of(books[missing - 1]) if missing else None
    for number, event in enumerate(events[missing + 1 :], missing + 2):
        before = held
        held, verdict = advance(held, event, f"{number}-0")
        assert (held, verdict) == (before, Verdict.REREAD)


def test_entries_come_in_the_order_of_their_ids_not_of_their_text() -> None:
    """10-0 follows 9-0."""
    events, books = published([one_row(number)[0] for number in range(10)])
    held, verdict = advance(HeldBook.of(books[8]), events[9], "10-0")
    assert (verdict, held) == (Verdict.APPLIED, HeldBook.of(books[9]))


def one_row(number: int) -> list[Rows]:
    """A table like no other."""
    return [(row("buy", 1, "A", number),)]


def test_rows_that_do_not_have_their_hash_are_not_taken() -> None:
    """The book is read again instead."""
    events, _ = published(one_row(1))
    spoilt = events[0].model_copy(update={"data": events[0].data.model_copy(update={"hash": "0" * 16})})
    assert advance(None, spoilt, "1-0") == (None, Verdict.REREAD)


def test_a_later_epoch_replaces_and_an_earlier_one_is_dropped() -> None:
    """A baseline above what is held is the new state; what is left of an epoch that is over is not."""
    events, books = published(one_row(1))
    held = HeldBook.of(books[0])
    later = events[0].model_copy(update={"data": events[0].data.model_copy(update={"epoch": held.epoch + 1})})
    after, verdict = advance(held, later, "2-0")
    assert verdict is Verdict.APPLIED
    assert after is not None
    assert after.epoch == held.epoch + 1
    assert advance(after, events[0], "3-0") == (after, Verdict.DROPPED)


def test_a_watermark_moves_what_was_seen() -> None:
    """An unchanged poll writes no event; only the watermark tells of it."""
    held = HeldBook.of(published(one_row(1))[1][0])
    seen = held.saw(mark_of(held, observed_at=held.observed_at + 5000), now=START)
    assert seen == replace(held, observed_at=held.observed_at + 5000)


def test_a_watermark_ahead_for_too_long_means_that_something_was_missed() -> None:
    """For a while the entry may still be on its way."""
    held = HeldBook.of(published(one_row(1))[1][0])
    ahead = replace(held, seq=held.seq + 1)
    waiting = held.saw(mark_of(ahead), now=START)
    assert waiting is not None
    assert waiting.saw(mark_of(ahead), now=START + BEHIND_MS) is not None
    assert waiting.saw(mark_of(ahead), now=START + BEHIND_MS + 1) is None
    assert waiting.saw(mark_of(held), now=START + 1) == held


def mark_of(held: HeldBook, observed_at: int | None = None) -> WatermarkEntry:
    """The watermark of a publisher that stands where `held` does."""
    return WatermarkEntry(
        observed_at=observed_at or held.observed_at, data_time=held.data_time, epoch=held.epoch, seq=held.seq
    )
