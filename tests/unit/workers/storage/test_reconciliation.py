"""Two lists of a day, broker by broker."""

from collections import Counter
from collections.abc import Sequence

from hypothesis import given

from brokertape.tape.rows import Row
from brokertape.workers.storage.reconciliation import Bounds, Comparison, Verdict, compare
from support.tables import row, tables


def named(found: Sequence[Comparison]) -> dict[str, Comparison]:
    """Comparisons by broker name."""
    return {one.broker_name: one for one in found}


@given(ours=tables(), theirs=tables())
def test_every_row_of_both_lists_stands_in_one_comparison(ours: tuple[Row, ...], theirs: tuple[Row, ...]) -> None:
    """Nothing is dropped or invented, and swapping the lists swaps the verdicts."""
    found = compare(ours, theirs)
    with_ours = [one for one in found if one.verdict is not Verdict.ONLY_THEIRS]
    with_theirs = [one for one in found if one.verdict is not Verdict.ONLY_OURS]
    for listed, held in (
        (ours, [(one.broker_name, one.ours) for one in with_ours]),
        (
            theirs,
            [(one.broker_name, one.theirs) for one in with_theirs],
        ),
    ):
        assert Counter((one.broker_name, one.net_vol) for one in listed) == Counter(held)
    assert all((one.ours == one.theirs) == (one.verdict is Verdict.EQUAL) for one in with_ours if one in with_theirs)
    swapped = Counter(one.verdict for one in compare(theirs, ours))
    assert swapped[Verdict.ONLY_OURS] == sum(one.verdict is Verdict.ONLY_THEIRS for one in found)
    assert swapped[Verdict.DIFFERENT] == sum(one.verdict is Verdict.DIFFERENT for one in found)


@given(ours=tables())
def test_a_list_is_equal_to_itself(ours: tuple[Row, ...]) -> None:
    """Names that repeat and numbers that are left out included."""
    assert {one.verdict for one in compare(ours, ours)} <= {Verdict.EQUAL}


def test_numbers_are_compared_and_the_difference_is_theirs_less_ours() -> None:
    """A number that one side left out is a difference without an amount."""
    ours = (row("buy", 1, "UBS", 500), row("buy", 2, "HSBC", 300), row("buy", 3, "CLSA", None))
    theirs = (row("buy", 1, "UBS", 700), row("buy", 2, "HSBC", 300), row("buy", 3, "CLSA", 100))
    found = named(compare(ours, theirs))
    assert (found["UBS"].verdict, found["UBS"].difference) == (Verdict.DIFFERENT, 200)
    assert found["HSBC"].verdict is Verdict.EQUAL
    assert (found["CLSA"].verdict, found["CLSA"].difference) == (Verdict.DIFFERENT, None)


def test_a_broker_that_is_missing_lies_between_the_last_of_each_side() -> None:
    """Absence is not zero: the bounds are those of the list it is missing in, 0 on a side that is complete."""
    ours = tuple(row("buy", rank, f"B{rank}", 1100 - 100 * rank) for rank in range(1, 11))
    inside = compare(ours, (*ours[:9], row("buy", 10, "UBS", 60)))
    assert named(inside)["UBS"].bounds == Bounds(0, 100)
    assert named(inside)["UBS"].fits
    assert named(inside)["B10"].bounds == Bounds(0, 60)
    assert named(inside)["B10"].fits is False
    assert named(compare(ours, (row("sell", 1, "CLSA", -100),)))["CLSA"].fits is False


def test_what_is_not_known_fits_and_contradicts_nothing() -> None:
    """A bound or a number that the gateway left out; one bound alone can still be broken."""
    assert Bounds(None, 100).has(50) is None
    assert Bounds(-100, None).has(None) is None
    assert Bounds(None, 100).has(101) is False
