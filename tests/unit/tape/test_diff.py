"""diff: pure, complete, in the contract's order and words."""

import pytest
from hypothesis import given
from msgspec import to_builtins

from brokertape.tape import Change, Flow, Row, apply, hash_rows
from brokertape.tape.diff import broken_totals, diff, flow_between, repeated_names
from support.tables import row, tables


@given(tables(), tables())
def test_applying_a_diff_gives_the_new_table(before: tuple[Row, ...], after: tuple[Row, ...]) -> None:
    """apply(before, diff(before, after)) is after, for any two tables, and their hashes agree."""
    result = apply(before, diff(before, after, repeated_names(after)))
    assert result == after
    assert hash_rows(result) == hash_rows(after)


@given(tables())
def test_equal_tables_have_no_diff(table: tuple[Row, ...]) -> None:
    """Nothing moved, nothing said."""
    assert diff(table, table, ()) == ()


@given(tables(), tables())
def test_records_come_in_the_order_of_the_new_table_then_of_the_old(
    before: tuple[Row, ...], after: tuple[Row, ...]
) -> None:
    """Buyers, sellers by rank of `after`; then those that left, in the order of `before`."""
    changes = diff(before, after, ())
    arrived = [change.after.place for change in changes if change.after is not None]
    left = [change.before.place for change in changes if change.after is None and change.before is not None]
    assert arrived == sorted(arrived)
    assert left == sorted(left)
    assert [change.after is None for change in changes] == [False] * len(arrived) + [True] * len(left)


@given(tables(), tables())
def test_kinds_say_what_moved(before: tuple[Row, ...], after: tuple[Row, ...]) -> None:
    """Every record has a kind, in the contract's order, and each kind holds of its two rows."""
    order = ["entered", "left", "flipped", "net", "activity", "ranked"]
    for change in diff(before, after, ()):
        assert list(change.kinds) == sorted(set(change.kinds), key=order.index)
        assert set(change.kinds) == expected_kinds(change)


def expected_kinds(change: Change) -> set[str]:
    """The contract's words, one line each."""
    old, new = change.before, change.after
    if old is None or new is None:
        return {"entered"} if old is None else {"left"}
    kinds = set()
    kinds |= {"flipped"} if old.side != new.side else set()
    kinds |= {"net"} if old.net_vol != new.net_vol else set()
    kinds |= {"activity"} if old.net_vol == new.net_vol and old.numbers != new.numbers else set()
    kinds |= {"ranked"} if old.side == new.side and old.rank != new.rank else set()
    return kinds


@given(tables(), tables())
def test_records_of_one_name_are_told_apart_by_ordinal(before: tuple[Row, ...], after: tuple[Row, ...]) -> None:
    """Name and ordinal are unique within an event, and the first record of a name carries none."""
    keys = [(change.broker_name, change.ordinal) for change in diff(before, after, ())]
    assert len(keys) == len(set(keys))
    assert all(ordinal is None or ordinal >= 1 for _, ordinal in keys)
    assert all("ordinal" not in to_builtins(change) for change in diff(before, after, ()) if change.ordinal is None)


def test_the_second_broker_of_a_name_is_paired_with_the_second() -> None:
    """Within one name the k-th row goes with the k-th, buyers first, by rank."""
    before = (row("buy", 1, "UBS", 500), row("buy", 2, "UBS", 300), row("sell", 1, "UBS", -100))
    after = (row("buy", 1, "UBS", 500), row("buy", 2, "UBS", 400))
    changes = diff(before, after, repeated_names(after))
    assert [(change.ordinal, change.kinds) for change in changes] == [(1, ("net",)), (2, ("left",))]
    assert changes[0].flow is None


def test_a_broker_that_changes_sides_is_one_record() -> None:
    """flipped, never left and entered."""
    old = row("buy", 10, "Goldman Sachs", 200, 466.0, 600.0, 279600.0)
    new = row("sell", 3, "Goldman Sachs", -66_200, 466.1, 67_000.0, 31_228_640.0)
    (change,) = diff([old], [new], ())
    assert change.kinds == ("flipped", "net")
    assert change.flow == Flow(net_vol=-66_400, buy_vol=0, sell_vol=66_400, turnover=30_949_040.0, vwap=466.1)


def test_a_rank_alone_means_that_others_moved() -> None:
    """A record of kind ranked has a flow of nothing, and no vwap."""
    (change,) = diff([row("buy", 1, "UBS")], [row("buy", 2, "UBS")], ())
    assert change.kinds == ("ranked",)
    assert change.flow == Flow(net_vol=0, buy_vol=0, sell_vol=0, turnover=0.0, vwap=None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((100, 10.0, 101.0, 1000.0), (200, 10.0, 200.0, 2000.0)),  # 100.5 bought: not whole
        ((100, 10.0, 50.0, 500.0), (200, 10.0, 200.0, 2000.0)),  # -25 sold: negative
        ((100, 10.0, 500.0, 5000.0), (400, 10.0, 500.0, 5000.0)),  # sold shares fell
        ((100, 10.0, 100.5, 1000.0), (200, 10.0, 200.5, 2000.0)),  # a share and a half
    ],
)
def test_a_flow_that_does_not_split_keeps_its_net(
    old: tuple[int, float, float, float], new: tuple[int, float, float, float]
) -> None:
    """Gross volumes that are negative, not whole or falling are unknown, both of them; the rest stands."""
    flow = flow_between(row("buy", 1, "UBS", *old), row("buy", 1, "UBS", *new))
    assert flow is not None
    assert (flow.buy_vol, flow.sell_vol) == (None, None)
    assert flow.net_vol == new[0] - old[0]
    assert flow.turnover == new[3] - old[3]


@pytest.mark.parametrize("missing", range(4))
def test_a_missing_number_leaves_no_flow(missing: int) -> None:
    """Absence is not zero."""
    numbers: list[float | None] = [100, 10.0, 100.0, 1000.0]
    numbers[missing] = None
    assert flow_between(row("buy", 1, "UBS"), row("buy", 1, "UBS", *numbers)) is None  # type: ignore[arg-type]


def test_turnover_and_vwap_are_rounded_and_rows_are_not() -> None:
    """turnover to 3 decimals, vwap to 6."""
    flow = flow_between(row("buy", 1, "UBS", 0, 1.0, 0.0, 0.1), row("buy", 1, "UBS", 300, 1.0, 300.0, 1000.3))
    assert flow is not None
    assert (flow.turnover, flow.vwap) == (1000.2, 3.334)


def test_only_a_total_that_fell_breaks_a_table() -> None:
    """A lower total of a broker is a restatement; of a repeated name it proves nothing."""
    before = [row("buy", 1, "UBS", total_vol=200.0, total_turnover=2000.0), row("buy", 2, "HSBC", total_vol=200.0)]
    after = [row("buy", 1, "UBS", total_vol=100.0, total_turnover=1000.0), row("buy", 2, "HSBC", total_vol=None)]
    changes = diff(before, after, ())
    assert [(broken.what, broken.broker_name, broken.from_, broken.to) for broken in broken_totals(changes, ())] == [
        ("total_vol", "UBS", 200.0, 100.0),
        ("total_turnover", "UBS", 2000.0, 1000.0),
    ]
    assert list(broken_totals(changes, {"UBS"})) == []


def test_a_name_repeats_when_it_stands_twice_in_a_table_or_is_empty() -> None:
    """Both sides together are one table."""
    table = [row("buy", 1, "UBS"), row("sell", 1, "UBS"), row("sell", 2, ""), row("sell", 3, "HSBC")]
    assert repeated_names(table) == {"UBS", ""}
