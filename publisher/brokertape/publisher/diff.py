"""What moved between two tables of one code: pure and complete, exactly the contract's change records.

`apply(before, diff(before, after, …)) == after` for any two tables, whatever their names and numbers.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from brokertape.tape.changes import Change, Flow, Kind
from brokertape.tape.events import Broken
from brokertape.tape.rows import Row, Side


def diff(before: Sequence[Row], after: Sequence[Row], repeated: Collection[str]) -> tuple[Change, ...]:
    """One record per broker whose row changed, in the order of `after`, then those that left.

    Names in `repeated` may stand for more than one broker, so no flow is given for them.
    """
    changes = [
        _change(name, ordinal, old, new, repeated) for name, ordinal, old, new in _pairs(before, after) if old != new
    ]
    return tuple(sorted(changes, key=_place_in_event))


def broken_totals(changes: Iterable[Change], repeated: Collection[str]) -> Iterator[Broken]:
    """The running totals that fell, which trading cannot cause. Repeated names prove nothing."""
    for change in changes:
        if change.before is None or change.after is None or change.broker_name in repeated:
            continue
        for what in ("total_vol", "total_turnover"):
            was, is_now = getattr(change.before, what), getattr(change.after, what)
            if was is not None and is_now is not None and is_now < was:
                yield Broken(what=what, broker_name=change.broker_name, from_=was, to=is_now)


def repeated_names(rows: Iterable[Row]) -> frozenset[str]:
    """The display names that do not tell one broker: standing more than once in this table, or empty."""
    counts = Counter(row.broker_name for row in rows)
    return frozenset(name for name, count in counts.items() if count > 1 or not name)


def _pairs(before: Sequence[Row], after: Sequence[Row]) -> Iterator[tuple[str, int, Row | None, Row | None]]:
    """Rows of one broker in both tables: by name, within a name the k-th with the k-th (buyers first, by rank)."""
    old_by_name, new_by_name = _by_name(before), _by_name(after)
    for name in old_by_name | new_by_name:
        twins = zip_longest(old_by_name.get(name, ()), new_by_name.get(name, ()))
        for ordinal, (old, new) in enumerate(twins):
            yield name, ordinal, old, new


def _by_name(rows: Sequence[Row]) -> dict[str, list[Row]]:
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(row.broker_name, []).append(row)
    return by_name


def _change(name: str, ordinal: int, old: Row | None, new: Row | None, repeated: Collection[str]) -> Change:
    return Change(
        broker_name=name,
        ordinal=ordinal or None,
        kinds=_kinds(old, new),
        before=old,
        after=new,
        flow=None if old is None or new is None or name in repeated else flow_between(old, new),
    )


def _kinds(old: Row | None, new: Row | None) -> tuple[Kind, ...]:
    if old is None:
        return ("entered",)
    if new is None:
        return ("left",)
    kinds: list[Kind] = []
    if old.side != new.side:
        kinds.append("flipped")
    if old.net_vol != new.net_vol:
        kinds.append("net")
    elif old.numbers != new.numbers:
        kinds.append("activity")
    if old.side == new.side and old.rank != new.rank:
        kinds.append("ranked")
    return tuple(kinds)


def _place_in_event(change: Change) -> tuple[bool, Side, int]:
    """Records with a row in the new table first, by that row's place; then those that left, by their old one."""
    row = change.after or change.before
    assert row is not None  # a record always has one of them
    return change.after is None, *row.place


class _Totals(NamedTuple):
    """The numbers of a row that a flow is made of, all known."""

    net_vol: int
    total_vol: float
    total_turnover: float

    @classmethod
    def of(cls, row: Row) -> "_Totals | None":
        if row.net_vol is None or row.avg_price is None or row.total_vol is None or row.total_turnover is None:
            return None
        return cls(row.net_vol, row.total_vol, row.total_turnover)

    @property
    def gross(self) -> tuple[int, int] | None:
        """Shares bought and sold since the open, or None where the totals do not split into whole volumes."""
        if not float(self.total_vol).is_integer():
            return None
        twice_bought, twice_sold = int(self.total_vol) + self.net_vol, int(self.total_vol) - self.net_vol
        if twice_bought < 0 or twice_sold < 0 or twice_bought % 2:
            return None
        return twice_bought // 2, twice_sold // 2


def flow_between(before: Row, after: Row) -> Flow | None:
    """A broker's own trading between two rows of it, None unless all four numbers of both are known.

    Gross volumes follow from the totals: bought = (total_vol + net_vol) / 2, sold = (total_vol - net_vol) / 2.
    """
    old, new = _Totals.of(before), _Totals.of(after)
    if old is None or new is None:
        return None
    turnover = _finite(round(new.total_turnover - old.total_turnover, 3))
    traded = new.total_vol - old.total_vol
    buy_vol, sell_vol = _gross_flow(old.gross, new.gross)
    return Flow(
        net_vol=new.net_vol - old.net_vol,
        buy_vol=buy_vol,
        sell_vol=sell_vol,
        turnover=turnover,
        vwap=_finite(round(turnover / traded, 6)) if turnover is not None and traded > 0 else None,
    )


def _gross_flow(old: tuple[int, int] | None, new: tuple[int, int] | None) -> tuple[int | None, int | None]:
    if old is None or new is None or new[0] < old[0] or new[1] < old[1]:
        return None, None
    return new[0] - old[0], new[1] - old[1]


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
