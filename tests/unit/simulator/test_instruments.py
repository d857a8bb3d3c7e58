"""The securities the simulator knows."""

import pytest

from brokertape.simulator.instruments import KNOWN, STOCK, instruments_of, price_step_mills


def test_thirty_codes_are_known_each_once() -> None:
    """Their prices lie on the exchange's steps."""
    assert len({instrument.code for instrument in KNOWN}) == len(KNOWN) == 30
    for instrument in KNOWN:
        assert instrument.base_mills % price_step_mills(instrument.base_mills) == 0


def test_an_unlisted_code_gets_a_stock_of_its_own() -> None:
    """Always the same one, tradable like the known."""
    (stock,) = instruments_of(["HK.01234"])
    assert instruments_of(["HK.01234"]) == (stock,)
    assert (stock.code, stock.sec_type, stock.has_broker_table) == ("HK.01234", STOCK, True)
    assert stock.base_mills >= 1000


@pytest.mark.parametrize(
    ("price_mills", "step_mills"),
    [(100, 1), (250, 5), (499, 5), (9_990, 10), (10_000, 20), (20_000, 50), (466_000, 200), (500_000, 500)],
)
def test_price_steps_are_the_exchanges(price_mills: int, step_mills: int) -> None:
    """The spread table, at its edges."""
    assert price_step_mills(price_mills) == step_mills
