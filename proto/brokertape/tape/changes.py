"""What moved between two tables of one code, and how to apply it."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Annotated, Literal

from msgspec import Meta

from brokertape.tape._model import Model
from brokertape.tape.errors import ApplyError
from brokertape.tape.rows import Row, Side
from brokertape.tape.wire_types import Counted

Kind = Literal["entered", "left", "flipped", "net", "activity", "ranked"]


class Flow(Model, frozen=True):
    """One broker's own trading in the interval of an event: shares, HKD and HKD a share.

    `buy_vol` and `sell_vol` are None when the totals do not split into whole volumes; `vwap` is None when
    nothing traded.
    """

    net_vol: int
    buy_vol: int | None
    sell_vol: int | None
    turnover: float | None
    vwap: float | None


class Change(Model, frozen=True, kw_only=True, omit_defaults=True):
    """One broker whose row changed. `before` is None when it entered the list, `after` when it left it.

    Leaving the list is not trading to zero. `flow` is None where it cannot be known. `ordinal` (1, 2, …) tells
    apart further records of one display name; the first has none.
    """

    broker_name: str
    ordinal: Counted | None = None
    kinds: Annotated[tuple[Kind, ...], Meta(extra_json_schema={"minItems": 1, "uniqueItems": True})]
    before: Row | None
    after: Row | None
    flow: Flow | None


class Table:
    """The rows of one code while changes are applied to them, one event after the other."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._at = dict(zip(map(_PLACE, rows), rows, strict=True))

    def apply(self, changes: Sequence[Change]) -> None:
        """Take every `before` out by (side, rank), then put every `after` in.

        Raises:
            ApplyError: A `before` is not there, or two rows are to stand at one place.
        """
        at = self._at
        for change in changes:
            if change.before is not None and at.pop(_PLACE(change.before), None) != change.before:
                raise ApplyError(f"{change.broker_name!r} is not at {change.before.place} as the change says")
        for change in changes:
            if change.after is not None and at.setdefault(_PLACE(change.after), change.after) is not change.after:
                raise ApplyError(f"two rows at {change.after.place}")

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows, buyers first, by rank.

        Raises:
            ApplyError: They do not rank 1…n on a side.
        """
        places = sorted(self._at)
        _check_ranks(places)
        return tuple([self._at[place] for place in places])


def apply(rows: Sequence[Row], changes: Sequence[Change]) -> tuple[Row, ...]:
    """The rows after `changes`, which are one event's; raises ApplyError as `Table` does."""
    table = Table(rows)
    table.apply(changes)
    return table.rows


# As `Row.place`, at C's speed: this is done for every row of every list that changes.
_PLACE: Callable[[Row], tuple[Side, int]] = attrgetter("side", "rank")


def _check_ranks(places: Sequence[tuple[Side, int]]) -> None:
    for side in ("buy", "sell"):
        ranks = [rank for at, rank in places if at == side]
        if ranks and ranks[-1] != len(ranks):  # in order, each once, from 1 on: so the last tells
            raise ApplyError(f"{side} ranks are {ranks}, not 1…{len(ranks)}")
