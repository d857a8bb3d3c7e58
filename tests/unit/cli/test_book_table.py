"""A book on a terminal."""

import io

import pytest
from rich.console import Console

from brokertape.cli.book_table import age_text, book_table
from brokertape.subscriber import BookView, Row
from support.tables import row

NOW = 1_778_227_221_000


def drawn(book: BookView | None, width: int = 80) -> str:
    """The table as text."""
    console = Console(file=io.StringIO(), width=width)
    console.print(book_table("HK.00700", book, NOW))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return str(text)


def book(*rows: Row) -> BookView:
    """A book seen five seconds ago."""
    return BookView("HK.00700", 1, 7, "1-0", "2026-05-08", 1_778_227_200, NOW - 5000, rows)


def test_it_shows_both_sides_and_how_fresh_they_are() -> None:
    """Code, date, the gateway's stamp, age, number; name, shares and price of each row."""
    text = drawn(book(row("buy", 1, "UBS", 1_200_000, 466.1), row("sell", 1, "花旗", -5, None)))
    assert "HK.00700  2026-05-08 16:00:00  seen 5 s ago  #7" in text
    assert "UBS" in text
    assert "+1,200,000" in text
    assert "466.100" in text
    assert "花旗" in text
    assert "–" in text


def test_numbers_are_whole_on_a_narrow_terminal() -> None:
    """The names give way."""
    long = "A Broker With A Very Long Name Indeed"
    text = drawn(book(*(row(side, 1, long, 12_345_678, 1234.5) for side in ("buy", "sell"))), width=72)
    assert text.count("+12,345,678") == text.count("1,234.500") == 2
    assert "…" in text


def test_no_book_is_no_empty_book() -> None:
    """Before the first poll it says so."""
    assert "waiting for its first poll" in drawn(None)


@pytest.mark.parametrize(
    ("age_ms", "text"), [(-3, "0 s"), (1400, "1 s"), (99_000, "99 s"), (600_000, "10 min"), (7_200_000, "2 h")]
)
def test_an_age_has_the_unit_that_fits(age_ms: int, text: str) -> None:
    """And is never below nothing: clocks differ."""
    assert age_text(age_ms) == text
