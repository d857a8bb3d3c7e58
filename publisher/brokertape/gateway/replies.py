"""Replies and quote pushes as values, checked. Pure.

All functions that read a reply raise Refused when the gateway answered with a failure, and MalformedBody when the
answer cannot be.
"""

import math
from collections.abc import Sequence
from datetime import date
from typing import Literal, Protocol, TypeVar

from google.protobuf.message import Message

from brokertape.gateway.errors import InvalidCode, MalformedBody
from brokertape.gateway.refusals import OK, refusal
from brokertape.gateway.securities import from_security
from brokertape.gateway.values import (
    BasicQuote,
    BrokerItem,
    BuySellType,
    GlobalState,
    MarketState,
    SecuritySnapshot,
    StaticInfo,
    SubscriptionQuota,
    TopTenBrokers,
    TradeDate,
    TradeDateType,
)
from brokertape.gateway_pb.v1 import quote_pb2 as quote
from brokertape.gateway_pb.v1 import session_pb2 as session
from brokertape.gateway_pb.v1.common_pb2 import Security

MAX_BROKERS = 200  # twenty are usual
MAX_DATA_TIME_S = 1 << 33  # in the year 2242: what is larger is no count of seconds

_BUY_SELL_TYPES: dict[int, BuySellType] = {member.value: member for member in BuySellType}


class _Response(Protocol):
    """What all responses share."""

    @property
    def ret_type(self) -> int: ...
    @property
    def ret_msg(self) -> str: ...


ResponseT = TypeVar("ResponseT", bound=_Response)


def accepted(reply: Message, response_type: type[ResponseT]) -> ResponseT:
    """`reply` as a `response_type` that says yes."""
    if not isinstance(reply, response_type):
        raise MalformedBody(f"a {reply.DESCRIPTOR.name} came for a {response_type.__name__}")
    if reply.ret_type != OK:
        raise refusal(reply.ret_type, reply.ret_msg)
    return reply


def global_state(reply: Message) -> GlobalState:
    """1002."""
    s2c = _answered(reply, session.GetGlobalStateResponse).s2c
    has_status = s2c.HasField("program_status")
    return GlobalState(
        market_hk=MarketState(s2c.market_hk),
        qot_logined=s2c.qot_logined,
        program_status=s2c.program_status.type if has_status else None,
        program_status_desc=s2c.program_status.ext_desc,
        server_ver=s2c.server_ver,
        time_s=s2c.time,
    )


def top_ten_brokers(reply: Message, code: str, days_before: int) -> TopTenBrokers:
    """3247, whose answer does not repeat what was asked."""
    s2c = _answered(reply, quote.QotGetTopTenBuySellBrokersResponse).s2c
    if len(s2c.broker_list) > MAX_BROKERS:
        raise MalformedBody(f"{len(s2c.broker_list)} brokers in the table of {code}, more than {MAX_BROKERS}")
    return TopTenBrokers(
        code=code,
        is_real_time=s2c.is_real_time if s2c.HasField("is_real_time") else days_before == 0,
        data_time=s2c.data_time if 0 < s2c.data_time < MAX_DATA_TIME_S else None,
        brokers=tuple(_broker(item) for item in s2c.broker_list),
    )


def static_info(reply: Message) -> list[StaticInfo]:
    """3202."""
    s2c = _answered(reply, quote.QotGetStaticInfoResponse).s2c
    return [
        StaticInfo(
            code=_code(info.basic.security),
            name=info.basic.name,
            lot_size=info.basic.lot_size,
            sec_type=info.basic.sec_type,
            is_delisted=info.basic.delisting,
        )
        for info in s2c.static_info_list
    ]


def market_snapshot(reply: Message, codes: Sequence[str]) -> list[SecuritySnapshot]:
    """3203 of `codes`, some of which the answer may leave out."""
    s2c = _answered(reply, quote.QotGetSecuritySnapshotResponse).s2c
    if len(s2c.snapshot_list) > len(codes):
        raise MalformedBody(f"{len(s2c.snapshot_list)} snapshots for {len(codes)} codes")
    snapshots = [_snapshot(snapshot.basic) for snapshot in s2c.snapshot_list]
    if unasked := {snapshot.code for snapshot in snapshots}.difference(codes):
        raise MalformedBody(f"the answer names {min(unasked)}, which was not asked for")
    return snapshots


def trade_dates(reply: Message) -> list[TradeDate]:
    """3219."""
    s2c = _answered(reply, quote.QotRequestTradeDateResponse).s2c
    return [TradeDate(_date(day.time), TradeDateType(day.trade_date_type)) for day in s2c.trade_date_list]


def subscribed(reply: Message) -> None:
    """3001, which answers with nothing but yes or no."""
    accepted(reply, quote.QotSubResponse)


def subscription_quota(reply: Message) -> SubscriptionQuota:
    """3003."""
    s2c = _answered(reply, quote.QotGetSubInfoResponse).s2c
    return SubscriptionQuota(used=s2c.total_used_quota, remaining=s2c.remain_quota)


def basic_quotes(push: quote.QotUpdateBasicQotResponse) -> list[BasicQuote]:
    """3005; quotes of other markets, which we did not ask for, are left out."""
    if push.ret_type != OK:
        return []
    return [_basic_quote(qot) for qot in push.s2c.basic_qot_list if _is_ours(qot.security)]


def _answered(reply: Message, response_type: type[ResponseT]) -> ResponseT:
    response = accepted(reply, response_type)
    if not reply.HasField("s2c"):
        raise MalformedBody(f"{reply.DESCRIPTOR.name} says yes and holds no answer")
    return response


def _broker(item: quote.BrokerItem) -> BrokerItem:
    return BrokerItem(
        broker_name=item.broker_name,
        buy_sell_type=_BUY_SELL_TYPES.get(item.buy_sell_type),
        net_vol=item.net_vol if item.HasField("net_vol") else None,
        avg_price=_number(item, "avg_price"),
        total_vol=_number(item, "total_vol"),
        total_turnover=_number(item, "total_turnover"),
    )


def _number(item: quote.BrokerItem, name: Literal["avg_price", "total_vol", "total_turnover"]) -> float | None:
    number: float = getattr(item, name)
    is_given = number != 0 or item.HasField(name)  # what was left out reads as 0, so most need not be asked
    return number if is_given and math.isfinite(number) else None


def _snapshot(basic: quote.SnapshotBasicData) -> SecuritySnapshot:
    return SecuritySnapshot(
        code=_code(basic.security),
        name=basic.name,
        lot_size=basic.lot_size,
        cur_price=_finite(basic.cur_price),
        volume=basic.volume,
        turnover=_finite(basic.turnover),
        is_suspended=basic.is_suspend,
        sec_status=basic.sec_status if basic.HasField("sec_status") else None,
        update_timestamp=basic.update_timestamp if 0 < basic.update_timestamp < MAX_DATA_TIME_S else None,
    )


def _basic_quote(qot: quote.BasicQot) -> BasicQuote:
    return BasicQuote(
        code=from_security(qot.security),
        cur_price=_finite(qot.cur_price),
        volume=qot.volume,
        turnover=_finite(qot.turnover),
        is_suspended=qot.is_suspended,
    )


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _code(security: Security) -> str:
    try:
        return from_security(security)
    except InvalidCode as error:
        raise MalformedBody(f"the answer names a security that was not asked for: {error}") from error


def _is_ours(security: Security) -> bool:
    try:
        from_security(security)
    except InvalidCode:
        return False
    return True


def _date(time: str) -> str:
    try:
        return date.fromisoformat(time[:10]).isoformat()
    except ValueError as error:
        raise MalformedBody(f"the answer holds {time!r} for a day") from error
