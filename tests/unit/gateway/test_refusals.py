"""Which refusal a text means."""

import pytest

from brokertape.gateway.errors import (
    NoRights,
    NotHongKong,
    OverBudget,
    QuotaExhausted,
    Refused,
    TooManyCodes,
    UnknownCode,
    UnsubscribedTooSoon,
    UpstreamTrouble,
)
from brokertape.gateway.refusals import refusal

SEEN = [
    ("获取财务报表频率太高，请求失败，每30秒最多30次。", OverBudget),
    ("Get Option Chain request failed due to high frequency. Maximum 10 times per 30 seconds.", OverBudget),
    ("只支持港股正股和基金", NotHongKong),
    ("This API does not support Stocks in US Market", NotHongKong),
    ("This market does not support this feature", NotHongKong),
    ("未知股票 HK.99999", UnknownCode),
    ("Unknown stock HK.99999", UnknownCode),
    ("NN_ProtoRet_TimeOut", UpstreamTrouble),
    ("NN_ProtoRet_SvrFailed", UpstreamTrouble),
    ("NN_ProtoRet_ByDisConnOrCacnel", UpstreamTrouble),
    ("订阅额度不足，订阅失败，已用订阅额度：1000/1000", QuotaExhausted),
    ("取消订阅失败，订阅时间过短，至少需要订阅1分钟", UnsubscribedTooSoon),
    ("行情权限不足", NoRights),
    ("No permission to get quotes for HK.00700. Please check quote permissions.", NoRights),
    ("No right to get the quote for HK.00700", NoRights),
    ("获取市场快照频率太高，请求失败，每30秒最多60次。", OverBudget),
    ("Get Market Snapshot request failed due to high frequency. Maximum 60 times per 30 seconds.", OverBudget),
]
# Nobody has shown us one.
GUESSED = [
    "当前行情权限每次最多请求20只港股的快照",
    "行情权限不足，一次最多20只",
    "Your quote rights allow snapshots of 20 HK stocks at a time",
]


@pytest.mark.parametrize(("text", "error"), SEEN)
def test_a_text_seen_in_the_wild_means_its_refusal(text: str, error: type[Refused]) -> None:
    """Chinese or English, the text decides; what the gateway sent is kept."""
    refused = refusal(-1, text)
    assert type(refused) is error
    assert (refused.ret_type, refused.ret_msg) == (-1, text)
    assert text in str(refused)


@pytest.mark.parametrize("ret_type", [-100, -200])
def test_a_timeout_or_disconnection_upstream_is_transient(ret_type: int) -> None:
    """Two return types speak for themselves, whatever the text."""
    assert type(refusal(ret_type, "")) is UpstreamTrouble


@pytest.mark.parametrize("text", GUESSED)
def test_too_many_codes_for_the_rights_are_not_no_rights(text: str) -> None:
    """Whoever is told so can ask for fewer."""
    assert type(refusal(-1, text)) is TooManyCodes


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("未知股票 02900", ("HK.02900",)),
        ("unknown stock HK.99999", ("HK.99999",)),
        ("未知股票 02900、02905", ("HK.02900", "HK.02905")),
        ("未知股票", ()),
        ("unknown stock 800000", ()),
    ],
)
def test_an_unknown_code_is_named_if_the_text_names_it(text: str, codes: tuple[str, ...]) -> None:
    """One of several, or none."""
    refused = refusal(-1, text)
    assert isinstance(refused, UnknownCode)
    assert refused.codes == codes


@pytest.mark.parametrize(("ret_type", "text"), [(-1, "其他原因"), (-400, ""), (-500, "bad packet")])
def test_an_unknown_text_stays_a_plain_refusal(ret_type: int, text: str) -> None:
    """Nothing is guessed."""
    assert type(refusal(ret_type, text)) is Refused


def test_a_refusal_without_text_still_reads() -> None:
    """The line says that no reason came."""
    assert str(refusal(-1, "")) == "no reason given (retType -1)"
