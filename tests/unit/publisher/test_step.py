"""next_step: what one poll does to the book of its code."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from msgspec import structs

from brokertape.publisher.snapshot import Snapshot
from brokertape.publisher.step import Append, Base, Drop, Step, Touch, next_step
from brokertape.tape import Book, Row, apply, decode_entry, encode_entry, hash_rows
from brokertape.tape.codec import dump
from brokertape.tape.events import BaselineEvent, ChangeEvent, CorrectionEvent, RolloverEvent
from support.tables import row, snapshot, tables

NOW = 1_778_227_221_500
DAY_S = 86_400


def step(base: Base, snap: Snapshot, *, now: int = NOW) -> Step:
    """next_step with a commit id and a source of no interest."""
    return next_step(base, snap, commit="c1", source="/opend/test", now=now)


def book_of(rows: tuple[Row, ...] | list[Row], **overrides: Any) -> Book:
    """The book after a first poll that showed `rows`."""
    first = step(Base(None), snapshot(rows))
    assert isinstance(first, Append)
    return structs.replace(first.book, **{"entry_id": "1-1", "server": "s", "commit": "c0", **overrides})


UBS = row("buy", 1, "UBS")
LATER = 1_778_227_222_000


def test_the_first_poll_of_a_code_is_a_baseline() -> None:
    """seq 1 in an epoch of now, no predecessor, no interval."""
    first = step(Base(None), snapshot([UBS]))
    assert isinstance(first, Append)
    assert isinstance(first.event, BaselineEvent)
    data = first.event.data
    assert (data.reason, data.epoch, data.seq, data.prev_seq, data.since) == ("first_seen", NOW, 1, None, None)
    assert data.trading_date == "2026-05-08"
    assert first.event.id == f"HK.00700/{NOW}/1"
    assert first.event.time == "2026-05-08T08:00:21.000Z"


def test_an_equal_poll_only_moves_the_stamps() -> None:
    """No event; asked_at, observed_at and data_time rise, and never fall."""
    book = book_of([UBS])
    later = step(Base(book), snapshot([UBS], at=LATER, data_time=None))
    assert isinstance(later, Touch)
    assert (later.book.asked_at, later.book.observed_at) == (LATER - 50, LATER)
    assert later.book.data_time == book.data_time
    earlier = step(Base(book), snapshot([UBS], at=book.observed_at - 9_000))
    assert isinstance(earlier, Touch)
    assert (earlier.book.asked_at, earlier.book.observed_at) == (book.asked_at, book.observed_at)


@given(tables(), tables())
def test_a_moved_table_is_told_whole(before: tuple[Row, ...], after: tuple[Row, ...]) -> None:
    """Whatever the kind of event, a subscriber that holds `before` gets to `after`, and to its hash."""
    book = book_of(before)
    result = step(Base(book), snapshot(after, at=LATER))
    if isinstance(result, Touch):
        assert before == after
        return
    assert isinstance(result, Append)
    event = decode_entry({k.encode(): v for k, v in encode_entry(result.event).items()})
    assert event == result.event
    assert isinstance(event, ChangeEvent | CorrectionEvent)
    rows = apply(before, event.data.changes) if isinstance(event, ChangeEvent) else event.data.rows
    assert rows == after == result.book.rows
    assert event.data.hash == hash_rows(rows)
    assert (event.data.epoch, event.data.seq, event.data.prev_seq) == (book.epoch, 2, 1)
    assert event.data.since == book.asked_at


def test_a_new_trading_date_is_a_rollover_even_with_equal_rows() -> None:
    """closing is the last state of the old date; nothing is diffed across dates."""
    book = book_of([UBS], repeated=("HSBC",))
    result = step(Base(book), snapshot([UBS], at=LATER + DAY_S * 1000, data_time=1_778_227_200 + DAY_S))
    assert isinstance(result, Append)
    assert isinstance(result.event, RolloverEvent)
    assert result.event.data.closing.trading_date == "2026-05-08"
    assert result.event.data.trading_date == "2026-05-09"
    assert result.book.repeated == ()


def test_totals_that_fell_are_a_correction() -> None:
    """Trading cannot take volume back."""
    before, after = row("buy", 1, "UBS", 100, 10.0, 300.0, 3000.0), row("buy", 1, "UBS", 100, 10.0, 200.0, 2000.0)
    result = step(Base(book_of([before])), snapshot([after], at=LATER))
    assert isinstance(result, Append)
    assert isinstance(result.event, CorrectionEvent)
    assert [broken.what for broken in result.event.data.broken] == ["total_vol", "total_turnover"]
    assert b'"from":300.0' in dump(result.event)


def test_an_emptied_table_is_a_correction() -> None:
    """No row on either side where there were rows."""
    result = step(Base(book_of([UBS])), snapshot([], at=LATER))
    assert isinstance(result, Append)
    assert isinstance(result.event, CorrectionEvent)
    (broken,) = result.event.data.broken
    assert (broken.what, broken.broker_name, broken.from_, broken.to) == ("emptied", None, 1, 0)


def test_a_name_once_repeated_stays_so_until_the_date_moves_on() -> None:
    """No flow for it, and its falling total is no correction."""
    book = book_of([UBS, row("sell", 1, "UBS", -100)])
    assert book.repeated == ("UBS",)
    lower = row("buy", 1, "UBS", 100, 10.0, 50.0, 500.0)
    result = step(Base(book), snapshot([lower], at=LATER))
    assert isinstance(result, Append)
    assert isinstance(result.event, ChangeEvent)
    assert all(change.flow is None for change in result.event.data.changes)
    assert result.book.repeated == ("UBS",)


def test_two_older_replies_are_dropped_and_the_third_is_believed() -> None:
    """A stamp before the book's is no good poll, until three in a row say the same date was restated."""
    base = Base(book_of([UBS]))
    older = snapshot([UBS], at=LATER, data_time=1_778_227_100)
    for run in (1, 2):
        dropped = step(base, older)
        assert isinstance(dropped, Drop)
        base = dropped.base
        assert base.backward_replies == run
    result = step(base, older)
    assert isinstance(result, Append)
    assert isinstance(result.event, CorrectionEvent)
    assert [(b.what, b.from_, b.to) for b in result.event.data.broken] == [
        ("data_time_back", 1_778_227_200, 1_778_227_100)
    ]
    assert result.book.data_time == 1_778_227_100


def test_an_older_date_is_never_believed_and_breaks_the_run() -> None:
    """Only replies of the book's own trading date can restate it."""
    base = replace(Base(book_of([UBS])), backward_replies=2)
    for _ in range(5):
        dropped = step(base, snapshot([UBS], at=LATER, data_time=1_778_227_200 - DAY_S))
        assert isinstance(dropped, Drop)
        base = dropped.base
        assert base.backward_replies == 0


@pytest.mark.parametrize("reason", ["server_changed", "rolled_back"])
def test_a_restart_writes_a_baseline_in_a_higher_epoch(reason: Any) -> None:
    """Complete state above every known epoch, stamps never lowered."""
    book = book_of([UBS], epoch=NOW + 5)
    result = step(Base(book, restart=reason, epoch_floor=NOW + 9), snapshot([UBS], at=LATER - 9_000))
    assert isinstance(result, Append)
    assert isinstance(result.event, BaselineEvent)
    assert (result.event.data.reason, result.event.data.epoch, result.event.data.seq) == (reason, NOW + 10, 1)
    assert result.event.data.observed_at == book.observed_at


def test_a_restart_still_drops_an_older_reply() -> None:
    """The next good poll begins the epoch, not the next reply."""
    base = Base(book_of([UBS]), restart="server_changed")
    assert isinstance(step(base, snapshot([UBS], at=LATER, data_time=1_778_227_100)), Drop)


def test_without_a_stamp_the_date_is_the_books_else_todays() -> None:
    """And the book keeps the stamp it had."""
    book = book_of([UBS])
    result = step(Base(book), snapshot([row("buy", 1, "HSBC")], at=LATER + 2 * DAY_S * 1000, data_time=None))
    assert isinstance(result, Append)
    assert (result.event.data.trading_date, result.event.data.data_time) == ("2026-05-08", None)
    assert result.book.data_time == book.data_time
    first = step(Base(None), snapshot([UBS], data_time=None))
    assert isinstance(first, Append)
    assert first.event.data.trading_date == "2026-05-08"


def test_published_is_never_before_observed() -> None:
    """A clock that stepped back in between is not shown."""
    result = step(Base(None), snapshot([UBS], at=NOW + 500))
    assert isinstance(result, Append)
    assert result.event.data.published_at == NOW + 500


@given(tables())
def test_a_book_survives_its_redis_hash(rows: tuple[Row, ...]) -> None:
    """to_hash and from_hash are inverse, but for the two fields only the server knows."""
    book = book_of(rows)
    fields = {name.encode(): value for name, value in book.to_hash().items()}
    assert Book.from_hash(fields | {b"entry_id": b"1-1", b"server": b"s"}) == book
