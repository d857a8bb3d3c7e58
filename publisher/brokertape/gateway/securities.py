"""Stock codes as we write them (`HK.00700`) and as the gateway does (market 1, code `00700`)."""

import re
from collections.abc import Iterable

from brokertape.gateway.errors import InvalidCode
from brokertape.gateway.messages import HK_SECURITIES
from brokertape.gateway_pb.v1.common_pb2 import Security

_CODE = re.compile(r"HK\.([0-9]{5})")


def to_security(code: str) -> Security:
    """`HK.00700` in the gateway's form.

    Raises:
        InvalidCode: With a line that says what a code looks like.
    """
    match = _CODE.fullmatch(code)
    if match is None:
        raise InvalidCode(f"{code!r} is no code of a Hong Kong security: write HK. and five digits, as in HK.00700")
    return Security(market=HK_SECURITIES, code=match[1])


def to_securities(codes: Iterable[str]) -> list[Security]:
    """Several codes in the gateway's form; raises as `to_security` does."""
    return [to_security(code) for code in codes]


def from_security(security: Security) -> str:
    """The gateway's form as `HK.00700`.

    Raises:
        InvalidCode: It is of another market, or not five digits.
    """
    code = f"HK.{security.code}"
    if security.market != HK_SECURITIES or not _CODE.fullmatch(code):
        raise InvalidCode(f"{security.code!r} of market {security.market} is no Hong Kong security")
    return code
