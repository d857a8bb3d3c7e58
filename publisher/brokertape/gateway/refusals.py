"""Which refusal a text means. The gateway has no error codes, only texts, Chinese or English by its `lang`.

The texts are those seen in the wild; an unknown one stays a plain `Refused`. This is the one place they live in.
How too many codes for the account's rights are refused was seen nowhere: its parts are guesses.
"""

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

OK = 0
TIMED_OUT = -100
DISCONNECTED = -200

# Parts of a text, lower case, most specific first.
_TEXTS: tuple[tuple[type[Refused], tuple[str, ...]], ...] = (
    (OverBudget, ("频率太高", "high frequency")),
    (UnsubscribedTooSoon, ("订阅时间过短", "at least 1 minute", "subscription time is too short")),
    (QuotaExhausted, ("额度不足", "quota insufficient", "insufficient quota", "insufficient subscription quota")),
    (TooManyCodes, ("每次最多", "一次最多", "单次最多", "stocks at a time", "stocks per request", "too many stocks")),
    (NoRights, ("权限不足", "no quote right", "insufficient quote right", "no permission", "no right")),
    (UnknownCode, ("未知股票", "unknown stock")),
    (NotHongKong, ("只支持港股", "only supports hk", "only support hk", "does not support", "不支持")),
    (UpstreamTrouble, ("nn_protoret_",)),
)


def refusal(ret_type: int, ret_msg: str) -> Refused:
    """The error for a reply whose `ret_type` is not 0."""
    if ret_type in (TIMED_OUT, DISCONNECTED):
        return UpstreamTrouble(ret_type, ret_msg)
    text = ret_msg.lower()
    for error, parts in _TEXTS:
        if any(part in text for part in parts):
            return error(ret_type, ret_msg)
    return Refused(ret_type, ret_msg)
