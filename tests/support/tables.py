"""Tables of rows: hypothesis strategies for arbitrary ones, and a short way to write one down."""

from collections.abc import Sequence

from hypothesis import strategies as st

from brokertape.publisher.snapshot import Snapshot
from brokertape.tape.rows import Row, Side

NAMES = st.sampled_from(["", "Goldman Sachs", "UBS", "HSBC", "花旗", "a|b\n", "CLSA"])
SHARES = st.integers(-5, 5).map(lambda lots: lots * 100) | st.integers(-(2**63), 2**63 - 1)
AMOUNTS = st.integers(0, 20).map(float) | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def tables(draw: st.DrawFn, max_rows: int = 10) -> tuple[Row, ...]:
    """Any list the gateway could conceivably give: duplicate and empty names, missing numbers, empty sides."""
    rows: list[Row] = []
    sides: tuple[Side, ...] = ("buy", "sell")
    for side in sides:
        for rank in range(1, draw(st.integers(0, max_rows)) + 1):
            numbers = draw(st.tuples(*(st.none() | values for values in (SHARES, AMOUNTS, AMOUNTS, AMOUNTS))))
            rows.append(row(side, rank, draw(NAMES), *numbers))
    return tuple(rows)


def row(
    side: Side,
    rank: int,
    broker_name: str,
    net_vol: int | None = 100,
    avg_price: float | None = 10.0,
    total_vol: float | None = 100.0,
    total_turnover: float | None = 1000.0,
) -> Row:
    """One row, its numbers those of a single bought lot unless given."""
    return Row(
        rank=rank,
        side=side,
        broker_name=broker_name,
        net_vol=net_vol,
        avg_price=avg_price,
        total_vol=total_vol,
        total_turnover=total_turnover,
    )


def snapshot(rows: Sequence[Row], *, at: int = 1_778_227_221_000, data_time: int | None = 1_778_227_200) -> Snapshot:
    """A poll of HK.00700 answered at `at` (ms), asked 50 ms before."""
    return Snapshot("HK.00700", at - 50, at, data_time, tuple(rows))
