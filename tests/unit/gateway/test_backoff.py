"""When to connect again, and whether."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokertape.gateway import errors
from brokertape.gateway.backoff import reconnect_delays, should_reconnect


@given(st.floats(0.001, 10), st.floats(1, 1000))
def test_delays_double_up_to_their_bound(first_s: float, factor: float) -> None:
    """Each is cut by up to half at random, and none exceeds the largest."""
    max_s = first_s * factor
    for i, delay_s in enumerate(islice(reconnect_delays(first_s, max_s), 15)):
        whole_s = min(first_s * 2**i, max_s)
        assert whole_s / 2 <= delay_s <= whole_s


def test_two_clients_do_not_come_back_in_step() -> None:
    """The cut is random."""
    assert list(islice(reconnect_delays(1, 30), 5)) != list(islice(reconnect_delays(1, 30), 5))


@pytest.mark.parametrize(
    "error",
    [
        errors.ConnectFailed(),
        errors.InitRefused(),
        errors.LinkLost(),
        errors.RequestTimeout(),
        errors.WrongFlag(),
        errors.WrongDigest(),
        errors.MalformedBody(),
    ],
    ids=repr,
)
def test_whatever_comes_from_the_gateways_side_is_tried_again(error: Exception) -> None:
    """It may be put right at any time, for hours on end."""
    assert should_reconnect(error)


@pytest.mark.parametrize(
    "error", [errors.KeyFileError(), errors.InvalidCode(), KeyError(), OSError(), TimeoutError()], ids=repr
)
def test_errors_of_our_own_are_not(error: Exception) -> None:
    """Trying again would only hide them."""
    assert not should_reconnect(error)
