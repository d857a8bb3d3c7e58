"""Requests about securities, checked before they are spent. Pure.

All raise InvalidRequest, with a line that says what may be given.
"""

from collections.abc import Sequence
from datetime import date

from brokertape.gateway.errors import InvalidRequest
from brokertape.gateway.messages import HK_SECURITIES
from brokertape.gateway.port import MAX_CODES
from brokertape.gateway.securities import to_securities, to_security
from brokertape.gateway_pb.v1 import quote_pb2 as quote
from brokertape.gateway_pb.v1 import session_pb2 as session

MAX_DAYS_BEFORE = 3650
MAX_SUBSCRIBED_AT_ONCE = 100  # as the vendor's SDK does it
BASIC_QUOTE = 1  # SubType


def global_state() -> session.GetGlobalStateRequest:
    """1002; the user id is of no use to us."""
    return session.GetGlobalStateRequest(c2s=session.GetGlobalStateC2S(user_id=0))


def top_ten_brokers(code: str, days_before: int) -> quote.QotGetTopTenBuySellBrokersRequest:
    """3247 of one code: now, or `days_before` trading days ago."""
    if not 0 <= days_before <= MAX_DAYS_BEFORE:
        raise InvalidRequest(f"{days_before} days before: give 0 (now) to {MAX_DAYS_BEFORE}")
    c2s = quote.QotGetTopTenBuySellBrokersC2S(security=to_security(code))
    if days_before:
        c2s.days_before = days_before
    return quote.QotGetTopTenBuySellBrokersRequest(c2s=c2s)


def static_info(codes: Sequence[str]) -> quote.QotGetStaticInfoRequest:
    """3202 of up to MAX_CODES codes."""
    check_count(codes)
    return quote.QotGetStaticInfoRequest(c2s=quote.QotGetStaticInfoC2S(security_list=to_securities(codes)))


def market_snapshot(codes: Sequence[str]) -> quote.QotGetSecuritySnapshotRequest:
    """3203 of up to MAX_CODES codes."""
    check_count(codes)
    c2s = quote.QotGetSecuritySnapshotC2S(security_list=to_securities(codes))
    return quote.QotGetSecuritySnapshotRequest(c2s=c2s)


def trade_dates(begin: str, end: str) -> quote.QotRequestTradeDateRequest:
    """3219 for Hong Kong, both days included."""
    if _day(begin) > _day(end):
        raise InvalidRequest(f"{begin} is after {end}: give the earlier day first")
    c2s = quote.QotRequestTradeDateC2S(market=HK_SECURITIES, begin_time=begin, end_time=end)
    return quote.QotRequestTradeDateRequest(c2s=c2s)


def subscribe_quotes(codes: Sequence[str]) -> quote.QotSubRequest:
    """3001 for the pushes of basic quotes, the first of which comes at once."""
    return _subscription(codes, is_subscribed=True)


def unsubscribe_quotes(codes: Sequence[str]) -> quote.QotSubRequest:
    """3001 the other way round."""
    return _subscription(codes, is_subscribed=False)


def subscription_quota() -> quote.QotGetSubInfoRequest:
    """3003; its totals are over all connections whatever is asked."""
    return quote.QotGetSubInfoRequest(c2s=quote.QotGetSubInfoC2S(is_req_all_conn=False))


def _subscription(codes: Sequence[str], *, is_subscribed: bool) -> quote.QotSubRequest:
    return quote.QotSubRequest(
        c2s=quote.QotSubC2S(
            security_list=to_securities(codes),
            sub_type_list=[BASIC_QUOTE],
            is_sub_or_un_sub=is_subscribed,
            is_reg_or_un_reg_push=is_subscribed,
            is_first_push=True,
        )
    )


def check_count(codes: Sequence[str]) -> None:
    """Refuse what is no number of codes for one request."""
    if not 0 < len(codes) <= MAX_CODES:
        raise InvalidRequest(f"{len(codes)} codes in one request: give 1 to {MAX_CODES}")


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:  # fromisoformat also reads 20260508 and 2026-W19-5
        raise InvalidRequest(f"{text!r} is no day: write it as in 2026-05-08")
    return day
