"""What the gateway says when it refuses, by its `lang`.

Forms seen in the wild; the name of call 3247 in the frequency text is not known, and texts that are ours alone are
marked so.
"""

from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    """The gateway's `lang` setting."""

    CHINESE = "chs"
    ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Texts:
    """The refusals in one language; what is in braces is filled in."""

    over_limit: str
    top_ten: str
    snapshot: str
    only_hong_kong: str
    unknown_code: str
    no_rights: str
    too_many_codes: str  # ours
    quota_exhausted: str
    unsubscribed_too_soon: str
    not_logged_in: str
    bad_parameter: str  # ours
    logged_out_by_force: str  # ours


UPSTREAM_LOST = "NN_ProtoRet_ByDisConnOrCacnel"  # sic, in any language

TEXTS = {
    Language.CHINESE: Texts(
        over_limit="{api}频率太高，请求失败，每{window_s:g}秒最多{limit}次。",
        top_ten="获取十大买卖经纪商",
        snapshot="获取市场快照",
        only_hong_kong="只支持港股正股和基金",
        unknown_code="未知股票 {code}",
        no_rights="行情权限不足",
        too_many_codes="行情权限不足，每次最多请求{most}只股票",
        quota_exhausted="订阅额度不足，订阅失败，已用订阅额度：{used}/{quota}",
        unsubscribed_too_soon="{code}订阅时间过短，至少需要订阅1分钟",
        not_logged_in="未登录：需要手机验证码",
        bad_parameter="参数错误：{name}",
        logged_out_by_force="牛牛帐号在别处登录",
    ),
    Language.ENGLISH: Texts(
        over_limit="{api} request failed due to high frequency. Maximum {limit} times per {window_s:g} seconds.",
        top_ten="Get Top Ten Buy Sell Brokers",
        snapshot="Get Market Snapshot",
        only_hong_kong="This API only supports HK stocks and funds",
        unknown_code="unknown stock {code}",
        no_rights="No permission to get quotes",
        too_many_codes="Your quote rights allow {most} stocks at a time",
        quota_exhausted="Insufficient subscription quota, subscription failed. Used quota: {used}/{quota}",
        unsubscribed_too_soon="{code}: subscription time is too short, at least 1 minute is required",
        not_logged_in="Not logged in: phone verification code needed",
        bad_parameter="Wrong parameter: {name}",
        logged_out_by_force="The account logged in elsewhere",
    ),
}
