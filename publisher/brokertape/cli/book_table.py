"""A book as a table for a terminal. Pure."""

from collections.abc import Sequence
from typing import Protocol

from rich import box
from rich.table import Table
from rich.text import Text

from brokertape.tape.rows import LISTED_PER_SIDE, Row
from brokertape.tape.wording import clock_time, plain, shares

MAX_NAME_CELLS = 28


class Listed(Protocol):
    """What a table shows of a list, wherever it comes from. `data_time` in s, `observed_at` in ms since 1970."""

    @property
    def trading_date(self) -> str:
        """The market date of the rows."""

    @property
    def data_time(self) -> int | None:
        """The gateway's stamp."""

    @property
    def observed_at(self) -> int:
        """When it was last truly seen."""

    @property
    def seq(self) -> int:
        """The event of its epoch that it is after."""

    @property
    def rows(self) -> tuple[Row, ...]:
        """Buyers first, by rank."""


def book_table(code: str, book: Listed | None, now: int) -> Table:
    """Net buyers and net sellers side by side, with how fresh they are at `now` (ms)."""
    table = Table(title=_title(code, book, now), box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    for side in ("Net buyers", "Net sellers"):
        table.add_column("", justify="right", style="dim", no_wrap=True)
        table.add_column(side, max_width=MAX_NAME_CELLS)
        table.add_column("Shares", justify="right", style="green" if side == "Net buyers" else "red", no_wrap=True)
        table.add_column("Avg HKD", justify="right", no_wrap=True)
    rows = () if book is None else book.rows
    at = {row.place: row for row in rows}
    for rank in range(1, max([LISTED_PER_SIDE, *(row.rank for row in rows)]) + 1):
        table.add_row(*_cells(at.get(("buy", rank))), *_cells(at.get(("sell", rank))))
    return table


def age_text(age_ms: int) -> str:
    """How long ago, in the unit that fits."""
    seconds = max(0, age_ms) / 1000
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"


def _title(code: str, book: Listed | None, now: int) -> Text:
    if book is None:
        return Text(f"{code}  no book yet: waiting for its first poll")
    stamp = "–" if book.data_time is None else clock_time(book.data_time * 1000)
    seen = f"seen {age_text(now - book.observed_at)} ago"
    return Text(f"{code}  {book.trading_date} {stamp}  {seen}  #{book.seq}")


def _cells(row: Row | None) -> Sequence[str | Text]:
    if row is None:
        return "", "", "", ""
    name = Text(plain(row.broker_name), no_wrap=True, overflow="ellipsis")  # the name gives way, not the numbers
    price = "–" if row.avg_price is None else f"{row.avg_price:,.3f}"
    return str(row.rank), name, shares(row.net_vol), price
