"""Why codes are polled when they are, as a table for a terminal and as data for programs. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import asdict
from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from brokertape.cli.book_table import age_text
from brokertape.publisher.why import CodeWhy, Why
from brokertape.tape.wording import plain

LONGEST_AGE_S = 1e9  # what is shown came over Redis, and may be any number
LEGEND = (
    "promise: its max staleness is due · first: not seen yet, or not since the market opened · "
    "cap: no code waits for longer than two rounds · audit: did its list change without a trade? · "
    "index: worth most · suspect: it traded, and its list was found unchanged · idle: not seen for long · "
    "heartbeat: the market rests"
)


def why_data(whys: Sequence[Why]) -> list[dict[str, Any]]:
    """For programs: a publisher each, its codes by index, the highest first."""
    return [{**asdict(why), "codes": [asdict(code) for code in _by_rank(why)]} for why in whys]


def why_view(whys: Sequence[Why], publishers: Sequence[str]) -> Iterator[RenderableType]:
    """The codes of all publishers in one table, how late each expects the lists, and what the reasons mean."""
    yield _table(whys)
    for why in whys:
        by = f"{plain(why.publisher)}: " if len(publishers) > 1 else ""
        yield Text(f"{by}the lists are expected to show a trade {why.lag_s:.1f} s after it")
    for publisher in sorted(set(publishers) - {why.publisher for why in whys}):
        yield Text(f"{plain(publisher)} does not tell why", "yellow")
    yield Text(LEGEND, "dim")


def _table(whys: Sequence[Why]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Code", no_wrap=True)
    for name in ("Index", "Changes/h", "Age", "Trades", "Weight"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Rule", no_wrap=True)
    table.add_column("State")
    table.add_column("Publisher", overflow="fold")
    rows = sorted(((code, why) for why in whys for code in why.codes), key=lambda row: row[0].rank, reverse=True)
    for code, why in rows:
        table.add_row(*(Text(plain(cell)) for cell in (*_cells(code), why.publisher)))
    return table


def _by_rank(why: Why) -> list[CodeWhy]:
    return sorted(why.codes, key=lambda code: code.rank, reverse=True)


def _cells(code: CodeWhy) -> Sequence[str]:
    return (
        code.code,
        "first" if code.index is None else _number(code.index),
        _number(code.changes_per_h),
        "never" if code.age_s is None else age_text(round(1000 * min(code.age_s, LONGEST_AGE_S))),
        "–" if code.trades_waiting is None else str(code.trades_waiting),
        f"{code.weight:g}",
        code.reason or "",
        _state(code),
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if 100 <= value < 1e9 else f"{value:.3g}"


def _state(code: CodeWhy) -> str:
    failures = f"{code.failures} failed" if code.failures else ""
    return ", ".join(filter(None, ("in flight" * code.is_in_flight, "halted" * code.is_halted, failures)))
