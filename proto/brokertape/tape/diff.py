"""What moved between two tables of one code: pure and complete, exactly the contract's change records.

`apply(before, diff(before, after, …)) == after` for any two tables, whatever their names and numbers.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from brokertape.tape.changes import Change, Flow, Kind
from brokertape.tape.events import Broken
from brokertape.tape.rows import Row


def diff(before: Sequence[Row], after: Sequence[Row], repeated: Collection[str]) -> tuple[Change, ...]:
    """One record per broker whose row changed, in the order of `after`, then those that left.

    Both tables list buyers first, by rank. Names in `repeated` may stand for more than one broker, so no flow is
    given for them.
    """
    return tuple([_change(name, ordinal, old, new, repeated) for name, ordinal, old, new in _moved(before, after)])


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
    counts = Counter([row.broker_name for row in rows])
    return frozenset([name for name, count in counts.items() if count > 1 or not name])


def _moved(before: Sequence[Row], after: Sequence[Row]) -> Iterator[tuple[str, int, Row | None, Row | None]]:
    """Name, ordinal, old and new row of whoever's row changed: paired by name, within a name the k-th with the k-th."""
    left = _by_broker(before)
    for broker, new in _by_broker(after).items():
        old = left.pop(broker, None)
        if old != new:
            yield *broker, old, new
    for broker, old in left.items():
        yield *broker, old, None


def _by_broker(rows: Iterable[Row]) -> dict[tuple[str, int], Row]:
    """Rows by name and ordinal, which counts from 0 within a name."""
    seen: dict[str, int] = {}
    by_broker: dict[tuple[str, int], Row] = {}
    for row in rows:
        name = row.broker_name
        ordinal = seen.get(name, 0)
        seen[name] = ordinal + 1
        by_broker[name, ordinal] = row
    return by_broker


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


def flow_between(before: Row, after: Row) -> Flow | None:
    """A broker's own trading between two rows of it, None unless all four numbers of both are known.

    Gross volumes follow from the totals: bought = (total_vol + net_vol) / 2, sold = (total_vol - net_vol) / 2.
    """
    was, is_now = _totals(before), _totals(after)
    if was is None or is_now is None:
        return None
    (old_net_vol, old_total_vol, old_turnover), (new_net_vol, new_total_vol, new_turnover) = was, is_now
    turnover = _finite(round(new_turnover - old_turnover, 3))
    traded = new_total_vol - old_total_vol
    buy_vol, sell_vol = _gross_flow(_gross(old_net_vol, old_total_vol), _gross(new_net_vol, new_total_vol))
    return Flow(
        net_vol=new_net_vol - old_net_vol,
        buy_vol=buy_vol,
        sell_vol=sell_vol,
        turnover=turnover,
        vwap=_finite(round(turnover / traded, 6)) if turnover is not None and traded > 0 else None,
    )


def _totals(row: Row) -> tuple[int, float, float] | None:
    """Net volume, total volume and turnover since the open, or None unless all four numbers are known."""
    if row.net_vol is None or row.avg_price is None or row.total_vol is None or row.total_turnover is None:
        return None
    return row.net_vol, row.total_vol, row.total_turnover


def _gross(net_vol: int, total_vol: float) -> tuple[int, int] | None:
    """Shares bought and sold since the open, or None where the totals do not split into whole volumes."""
    shares = int(total_vol)
    if shares != total_vol or shares < abs(net_vol) or (shares + net_vol) % 2:
        return None
    return (shares + net_vol) // 2, (shares - net_vol) // 2


def _gross_flow(old: tuple[int, int] | None, new: tuple[int, int] | None) -> tuple[int | None, int | None]:
    if old is None or new is None or new[0] < old[0] or new[1] < old[1]:
        return None, None
    return new[0] - old[0], new[1] - old[1]


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
