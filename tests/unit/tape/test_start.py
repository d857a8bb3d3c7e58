"""Where reading begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokertape.tape.start import FIRST_ID, id_order

IDS = st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))


@given(IDS, IDS)
def test_ids_order_by_number(one: tuple[int, int], other: tuple[int, int]) -> None:
    """9-0 comes before 10-0, which text would turn round."""
    ours = id_order("{}-{}".format(*one)) < id_order("{}-{}".format(*other))
    assert ours == (one < other)


@given(IDS.filter(lambda one: one != (0, 0)))
def test_no_entry_comes_before_the_first_id(one: tuple[int, int]) -> None:
    """Reading after it misses nothing."""
    assert id_order(FIRST_ID) < id_order("{}-{}".format(*one))


def test_what_is_no_id_is_an_error() -> None:
    """A damaged position is not taken for a place on the tape."""
    with pytest.raises(ValueError, match="invalid literal"):
        id_order("yesterday")
