"""The book as a Redis hash."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokertape.tape.book import Book, Snapshot
from brokertape.tape.errors import DecodeError
from brokertape.tape.rows import Row, hash_rows
from support.tables import tables


def book_of(rows: tuple[Row, ...], data_time: int | None = None) -> Book:
    """A book with these rows."""
    return Book(
        epoch=1_778_198_400_000,
        seq=7,
        entry_id="1778227221467-0",
        commit="c",
        server="s",
        asked_at=1,
        observed_at=2,
        data_time=data_time,
        hash=hash_rows(rows),
        repeated=("", "UBS"),
        snapshot=Snapshot(code="HK.00700", trading_date="2026-05-08", rows=rows),
    )


@given(rows=tables(), data_time=st.none() | st.integers(1, 2**40))
def test_a_book_comes_back_as_it_was_stored(rows: tuple[Row, ...], data_time: int | None) -> None:
    """Whatever the gateway gave: every number to its last digit, what was missing still missing."""
    book = book_of(rows, data_time)
    stored = {name.encode(): value for name, value in book.to_hash().items()}
    assert Book.from_hash(stored | {b"entry_id": book.entry_id.encode(), b"server": b"s"}) == book


def test_an_absent_key_is_no_book() -> None:
    """As HGETALL gives it."""
    assert Book.from_hash({}) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [(b"entry_id", b"garbage"), (b"entry_id", b"99999999999999999999999-0"), (b"seq", b"x"), (b"snapshot", b"{")],
)
def test_what_is_no_book_is_one_line(field: bytes, value: bytes) -> None:
    """Nothing of it is used."""
    book = book_of(())
    stored = {name.encode(): content for name, content in book.to_hash().items()}
    with pytest.raises(DecodeError, match=r"^not a book: [^\n]+$"):
        Book.from_hash(stored | {b"entry_id": b"1-0", b"server": b"s", field: value})
