"""Events as one line each, for people. Pure."""

from collections.abc import Iterable
from datetime import datetime

from brokertape.tape.changes import Change
from brokertape.tape.events import (
    BaselineEvent,
    ChangeEvent,
    CorrectionEvent,
    Event,
    HistoryEvent,
    RolloverEvent,
    StatusEvent,
    WatermarkEvent,
)
from brokertape.tape.market_time import HKT
from brokertape.tape.rows import Row
from brokertape.tape.wording import plain, shares

MAX_CHANGES = 4  # told one by one in a line; the rest is counted


def line_of(event: Event) -> str:
    """`event` in one line: market time, code or name, kind, and what it says."""
    return f"{_time(event)}  {plain(event.subject):<10} {event.kind:<10} {_text(event)}"


def _time(event: Event) -> str:
    return datetime.fromisoformat(event.time).astimezone(HKT).strftime("%H:%M:%S.%f")[:-3]


def _text(event: Event) -> str:
    match event:
        case ChangeEvent(data=data):
            return f"#{data.seq}  {_changes(data.changes)}"
        case BaselineEvent(data=data):
            return f"#{data.seq}  {data.reason}: {_listed(data.rows)}"
        case RolloverEvent(data=data):
            return f"#{data.seq}  {data.closing.trading_date} → {data.trading_date}: {_listed(data.rows)}"
        case CorrectionEvent(data=data):
            broken = ", ".join(
                f"{one.what} {plain(one.broker_name or '')} {one.from_} → {one.to}" for one in data.broken
            )
            return f"#{data.seq}  {broken}"
        case HistoryEvent(data=data):
            return f"{data.trading_date}, {data.days_before} days before: {len(data.rows)} rows"
        case StatusEvent(data=data):
            return f"{data.scope} {data.state}" + (f": {plain(data.reason)}" if data.reason else "")
        case WatermarkEvent(data=data):
            return f"{len(data.codes)} codes seen"


def _changes(changes: tuple[Change, ...]) -> str:
    told = [change_text(change) for change in changes if change.kinds != ("ranked",)]
    ranked = len(changes) - len(told)
    rest = [f"{len(told) - MAX_CHANGES} more"] * (len(told) > MAX_CHANGES) + [f"{ranked} ranked"] * (ranked > 0)
    return "; ".join([*told[:MAX_CHANGES], *rest])


def change_text(change: Change) -> str:
    """One broker's change."""
    name = plain(change.broker_name) or "(no name)"
    before, after = (None if row is None else row.net_vol for row in (change.before, change.after))
    match change.kinds[0]:
        case "entered":
            return f"{name} enters at {shares(after)}"
        case "left":
            return f"{name} leaves at {shares(before)}"
        case "flipped":
            return f"{name} flips {shares(before)} → {shares(after)}"
        case "net":
            return f"{name} {shares(before)} → {shares(after)}"
        case kind:
            return f"{name} {kind}"


def _listed(rows: Iterable[Row]) -> str:
    sides = [row.side for row in rows]
    return f"{sides.count('buy')} buyers, {sides.count('sell')} sellers"
