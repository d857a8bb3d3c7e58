"""Which refusal a text means."""

import pytest

from brokertape.gateway.errors import (
    NoRights,
    NotHongKong,
    OverBudget,
    QuotaExhausted,
    Refused,
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


@pytest.mark.parametrize(("ret_type", "text"), [(-1, "其他原因"), (-400, ""), (-500, "bad packet")])
def test_an_unknown_text_stays_a_plain_refusal(ret_type: int, text: str) -> None:
    """Nothing is guessed."""
    assert type(refusal(ret_type, text)) is Refused


def test_a_refusal_without_text_still_reads() -> None:
    """The line says that no reason came."""
    assert str(refusal(-1, "")) == "no reason given (retType -1)"
