"""One table of the gateway as the tape keeps it: rows, what the cut at ten hides, and the hash."""

import hashlib
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Literal

from brokertape.tape._model import Model
from brokertape.tape.wire_types import Count, Counted

Side = Literal["buy", "sell"]

LISTED_PER_SIDE = 10  # the gateway shows at most ten net buyers and ten net sellers


class Row(Model, frozen=True):
    """One broker's line: `net_vol` and `total_vol` in shares, `avg_price` and `total_turnover` in HKD.

    `rank` counts from 1 on each side in the gateway's order. A number the gateway left out is None.
    """

    rank: Counted
    side: Side
    broker_name: str
    net_vol: int | None
    avg_price: float | None
    total_vol: float | None
    total_turnover: float | None

    @property
    def numbers(self) -> tuple[int | None, float | None, float | None, float | None]:
        """The four numbers of the row, `net_vol` first."""
        return self.net_vol, self.avg_price, self.total_vol, self.total_turnover

    @property
    def place(self) -> tuple[Side, int]:
        """Where the row stands: its side and rank, unique within a table."""
        return self.side, self.rank


class ListView(Model, frozen=True):
    """How much of the market a list of ten a side shows.

    A broker that is not listed has not traded to zero: its net volume lies between `unseen_low` (the last
    seller's) and `unseen_high` (the last buyer's), in shares; None when the gateway left that number out.
    """

    buy_rows: Count
    sell_rows: Count
    buy_complete: bool
    sell_complete: bool
    unseen_low: int | None
    unseen_high: int | None

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "ListView":
        """The view that `rows` (both sides) give."""
        buyers = [row for row in rows if row.side == "buy"]
        sellers = [row for row in rows if row.side == "sell"]
        return cls(
            buy_rows=len(buyers),
            sell_rows=len(sellers),
            buy_complete=len(buyers) < LISTED_PER_SIDE,
            sell_complete=len(sellers) < LISTED_PER_SIDE,
            unseen_low=0 if len(sellers) < LISTED_PER_SIDE else sellers[-1].net_vol,
            unseen_high=0 if len(buyers) < LISTED_PER_SIDE else buyers[-1].net_vol,
        )


def in_order(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Rows as every event lists them: buyers first, then sellers, each by rank."""
    return tuple(sorted(rows, key=attrgetter("side", "rank")))


def hash_rows(rows: Sequence[Row]) -> str:
    """16 hex digits that two tables share when side, rank, name and net volume of every row agree.

    SHA-256 over the UTF-8 lines `side|rank|broker_name|net_vol`, buyers first, by rank; None is written as nothing.
    """
    lines = [f"{row.side}|{row.rank}|{row.broker_name}|{'' if row.net_vol is None else row.net_vol}\n" for row in rows]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]
