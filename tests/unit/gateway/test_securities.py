"""Codes in our form and the gateway's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokertape.gateway.errors import InvalidCode
from brokertape.gateway.securities import from_security, to_securities, to_security
from brokertape.gateway_pb.v1.common_pb2 import Security


@given(st.text("0123456789", min_size=5, max_size=5).map("HK.{}".format))
def test_a_code_survives_the_gateways_form(code: str) -> None:
    """There and back is the same code, of market 1 without its prefix."""
    security = to_security(code)
    assert (security.market, security.code) == (1, code[3:])
    assert from_security(security) == code


@pytest.mark.parametrize("code", ["00700", "HK.700", "hk.00700", "US.AAPL", "HK.00700 ", "HK.00700\n", "HK.٠٠٧٠٠", ""])
def test_anything_else_is_no_code(code: str) -> None:
    """The line shows what was given and what a code looks like."""
    with pytest.raises(InvalidCode, match=r"as in HK\.00700") as caught:
        to_security(code)
    assert repr(code) in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_one_wrong_code_fails_the_whole_list() -> None:
    """Nothing is asked in part."""
    with pytest.raises(InvalidCode):
        to_securities(["HK.00700", "US.AAPL"])


@pytest.mark.parametrize("security", [Security(market=11, code="00700"), Security(market=1, code="AAPL")])
def test_a_security_of_another_market_is_refused(security: Security) -> None:
    """Only Hong Kong's five digits become a code."""
    with pytest.raises(InvalidCode):
        from_security(security)
