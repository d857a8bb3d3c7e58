"""Holding: what a reread book tells the publisher that held another."""

from typing import Any

import pytest
from msgspec.structs import replace

from brokertape.publisher.commit import StoredBook
from brokertape.publisher.holding import Holding
from brokertape.publisher.step import Append, Base, next_step
from brokertape.tape import Book
from support.tables import row, snapshot


def book(**version: Any) -> Book:
    """A book written under server s."""
    step = next_step(Base(None), snapshot([row("buy", 1, "UBS")]), commit="c", source="/opend/test", now=1)
    assert isinstance(step, Append)
    return replace(step.book, **{"epoch": 5, "seq": 7, "server": "s", "entry_id": "1-1", **version})


def held() -> Holding:
    """A holding whose last own commit is (5, 7, c)."""
    holding = Holding(StoredBook(None, "s"))
    holding.committed(book())
    return holding


def test_no_book_and_no_memory_is_a_first_sight() -> None:
    """Nothing restarts: the first poll is a baseline of its own."""
    assert Holding(StoredBook(None, "s")).base == Base(None)


def test_a_book_of_somebody_else_is_gone_on_with() -> None:
    """A publisher that starts reads the book and continues it."""
    assert Holding(StoredBook(book(), "s")).base == Base(book(), epoch_floor=5)


@pytest.mark.parametrize(
    ("stored", "restart"),
    [
        (book(), None),
        (book(seq=8, commit="other"), None),
        (book(epoch=6, seq=1, commit="other"), None),
        (book(seq=6, commit="older"), "rolled_back"),
        (book(commit="beside"), "rolled_back"),
        (book(epoch=4, seq=99, commit="older"), "rolled_back"),
        (None, "rolled_back"),
    ],
)
def test_a_book_behind_or_beside_our_own_commit_was_rolled_back(stored: Book | None, restart: str | None) -> None:
    """What lies ahead of us is another publisher's; what does not has lost something."""
    holding = held()
    holding.reread(StoredBook(stored, "s"))
    assert holding.base.restart == restart
    assert holding.base.epoch_floor == max(5, stored.epoch if stored else 0)


def test_a_book_of_another_server_restarts_whoever_wrote_it() -> None:
    """What that server acknowledged may be gone."""
    assert Holding(StoredBook(book(), "t")).base.restart == "server_changed"


def test_the_run_of_older_replies_ends_when_the_book_moves_on() -> None:
    """Somebody's good reply came in between."""
    holding = held()
    holding.dropped(Base(book(), backward_replies=2))
    assert holding.base.backward_replies == 2
    holding.reread(StoredBook(book(), "s"))
    assert holding.base.backward_replies == 2
    holding.reread(StoredBook(book(seq=8), "s"))
    assert holding.base.backward_replies == 0
