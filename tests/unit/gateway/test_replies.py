"""Replies as values."""

import math

import pytest

from brokertape.gateway import replies
from brokertape.gateway.errors import MalformedBody, OverBudget
from brokertape.gateway.values import (
    BasicQuote,
    BrokerItem,
    BuySellType,
    MarketState,
    SecuritySnapshot,
    StaticInfo,
    SubscriptionQuota,
    TradeDate,
    TradeDateType,
)
from brokertape.gateway_pb.v1 import quote_pb2 as quote
from brokertape.gateway_pb.v1 import session_pb2 as session
from brokertape.gateway_pb.v1.common_pb2 import Security
from support import scripted_gateway as says


def _table(*brokers: quote.BrokerItem, **fields: object) -> quote.QotGetTopTenBuySellBrokersResponse:
    reply = quote.QotGetTopTenBuySellBrokersResponse(ret_type=0, s2c=quote.QotGetTopTenBuySellBrokersS2C())
    reply.s2c.broker_list.extend(brokers)
    for name, value in fields.items():
        setattr(reply.s2c, name, value)
    return reply


def test_a_table_keeps_every_row_in_the_gateways_order() -> None:
    """Names, sides and numbers as they came."""
    table = replies.top_ten_brokers(says.top_ten("A", "B"), "HK.00700", 0)
    assert (table.code, table.is_real_time, table.data_time) == ("HK.00700", True, says.NOW_S)
    assert table.brokers == (
        BrokerItem("A", BuySellType.NET_BUY, 1000, 466.1, 2000.0, 932200.0),
        BrokerItem("B", BuySellType.NET_BUY, 999, 466.1, 2000.0, 932200.0),
    )


def test_what_the_gateway_left_out_is_none() -> None:
    """Absence is not zero; only a name is empty."""
    [broker] = replies.top_ten_brokers(_table(quote.BrokerItem()), "HK.00700", 0).brokers
    assert broker == BrokerItem("", None, None, None, None, None)


def test_a_zero_that_was_sent_is_zero() -> None:
    """A broker may have traded to zero."""
    item = quote.BrokerItem(net_vol=0, avg_price=0.0, total_vol=0.0, total_turnover=0.0)
    [broker] = replies.top_ten_brokers(_table(item), "HK.00700", 0).brokers
    assert (broker.net_vol, broker.avg_price, broker.total_vol, broker.total_turnover) == (0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_none(number: float) -> None:
    """It could be neither compared nor written as JSON."""
    item = quote.BrokerItem(avg_price=number, total_vol=number, total_turnover=number)
    [broker] = replies.top_ten_brokers(_table(item), "HK.00700", 0).brokers
    assert (broker.avg_price, broker.total_vol, broker.total_turnover) == (None, None, None)


def test_an_unknown_side_is_none() -> None:
    """Zero says unknown; a number this version does not know is as good as absent."""
    unknown = quote.BrokerItem(buy_sell_type=quote.BUY_SELL_TYPE_UNKNOWN)
    newer = quote.BrokerItem.FromString(b"\x18\x09")
    table = replies.top_ten_brokers(_table(unknown, newer), "HK.00700", 0)
    assert [broker.buy_sell_type for broker in table.brokers] == [None, None]


@pytest.mark.parametrize(
    ("sent", "data_time"), [(0, None), (-1, None), (1, 1), (says.NOW_S, says.NOW_S), (says.NOW_S * 1000, None)]
)
def test_a_stamp_that_is_no_count_of_seconds_is_none(sent: int, data_time: int | None) -> None:
    """Zero, negative and milliseconds tell no time."""
    assert replies.top_ten_brokers(_table(data_time=sent), "HK.00700", 0).data_time == data_time


def test_an_empty_table_is_an_answer() -> None:
    """Nobody has traded yet, and the gateway gave no stamp."""
    table = replies.top_ten_brokers(_table(), "HK.00700", 0)
    assert (table.brokers, table.data_time) == ((), None)


@pytest.mark.parametrize(("days_before", "is_real_time"), [(0, True), (1, False)])
def test_a_table_that_does_not_say_is_what_was_asked_for(days_before: int, is_real_time: bool) -> None:
    """`isRealTime` is optional."""
    assert replies.top_ten_brokers(_table(), "HK.00700", days_before).is_real_time is is_real_time


def test_a_table_says_itself_whether_it_is_real_time() -> None:
    """What the gateway says wins over what was asked."""
    assert not replies.top_ten_brokers(_table(is_real_time=False), "HK.00700", 0).is_real_time


def test_more_brokers_than_can_be_are_malformed() -> None:
    """200 pass, one more does not."""
    assert len(replies.top_ten_brokers(_table(*[quote.BrokerItem()] * 200), "HK.00700", 0).brokers) == 200
    with pytest.raises(MalformedBody, match="201 brokers"):
        replies.top_ten_brokers(_table(*[quote.BrokerItem()] * 201), "HK.00700", 0)


def test_a_refusal_is_raised_as_what_it_means() -> None:
    """Any return type but 0, with the gateway's text."""
    reply = quote.QotGetTopTenBuySellBrokersResponse(ret_type=-1, ret_msg="频率太高")
    with pytest.raises(OverBudget):
        replies.top_ten_brokers(reply, "HK.00700", 0)


def test_yes_without_an_answer_is_malformed() -> None:
    """An empty table is sent as one."""
    with pytest.raises(MalformedBody, match="holds no answer"):
        replies.top_ten_brokers(quote.QotGetTopTenBuySellBrokersResponse(ret_type=0), "HK.00700", 0)


def test_another_message_than_asked_for_is_malformed() -> None:
    """Types are checked, not trusted."""
    with pytest.raises(MalformedBody):
        replies.global_state(says.top_ten())


def test_the_global_state_tells_market_login_and_clock() -> None:
    """A gateway that is ready."""
    state = replies.global_state(says.global_state())
    assert (state.market_hk, state.is_ready, state.time_s) == (MarketState.MORNING, True, says.NOW_S)


@pytest.mark.parametrize(("is_logined", "status"), [(False, 10), (True, 2), (False, 11)])
def test_a_gateway_without_login_is_not_ready(is_logined: bool, status: int) -> None:
    """Both have to be right: the quote login and the program's own status."""
    state = replies.global_state(says.global_state(is_logined=is_logined, program_status=status))
    assert not state.is_ready


def test_a_gateway_that_tells_no_status_is_ready_by_its_login() -> None:
    """Older ones do not know the field; a market state we do not know is UNKNOWN."""
    reply = says.global_state()
    reply.s2c.ClearField("program_status")
    reply.s2c.market_hk = 77
    state = replies.global_state(reply)
    assert (state.program_status, state.is_ready, state.market_hk) == (None, True, MarketState.UNKNOWN)


def test_static_info_knows_what_has_a_table() -> None:
    """A stock has one, a warrant has none."""
    reply = quote.QotGetStaticInfoResponse(ret_type=0, s2c=quote.QotGetStaticInfoS2C())
    for code, sec_type in (("00700", 3), ("12345", 5)):
        basic = quote.SecurityStaticBasic(
            security=Security(market=1, code=code), id=1, lot_size=100, sec_type=sec_type, name="名", list_time=""
        )
        reply.s2c.static_info_list.add(basic=basic)
    stock, warrant = replies.static_info(reply)
    assert stock == StaticInfo("HK.00700", "名", 100, 3, is_delisted=False)
    assert (stock.has_broker_table, warrant.has_broker_table) == (True, False)


def _snapshot(code: str = "00700", market: int = 1) -> quote.QotGetSecuritySnapshotResponse:
    basic = quote.SnapshotBasicData(
        security=Security(market=market, code=code),
        type=3,
        is_suspend=False,
        list_time="",
        lot_size=100,
        price_spread=0.2,
        update_time="",
        high_price=1.0,
        open_price=1.0,
        low_price=1.0,
        last_close_price=1.0,
        cur_price=466.0,
        volume=1_000_000,
        turnover=math.nan,
        turnover_rate=0.1,
        name="腾讯控股",
    )
    reply = quote.QotGetSecuritySnapshotResponse(ret_type=0, s2c=quote.QotGetSecuritySnapshotS2C())
    reply.s2c.snapshot_list.add(basic=basic)
    return reply


def test_a_snapshot_tells_running_totals() -> None:
    """What is not finite or was not sent is None."""
    assert replies.market_snapshot(_snapshot(), ["HK.00700"]) == [
        SecuritySnapshot(
            code="HK.00700",
            name="腾讯控股",
            lot_size=100,
            cur_price=466.0,
            volume=1_000_000,
            turnover=None,
            is_suspended=False,
            sec_status=None,
            update_timestamp=None,
        )
    ]


@pytest.mark.parametrize(("sec_status", "is_delisted"), [(1, False), (9, False), (13, True), (99, False)])
def test_a_snapshot_tells_the_status_as_it_came(sec_status: int, is_delisted: bool) -> None:
    """Also one that this version does not know."""
    reply = _snapshot()
    reply.s2c.snapshot_list[0].basic.sec_status = sec_status
    [snapshot] = replies.market_snapshot(reply, ["HK.00700"])
    assert (snapshot.sec_status, snapshot.is_delisted) == (sec_status, is_delisted)


@pytest.mark.parametrize(
    ("sent", "told"),
    [(says.NOW_S + 0.5, says.NOW_S + 0.5), (0.0, None), (-1.0, None), (math.nan, None), (says.NOW_S * 1000.0, None)],
)
def test_a_price_stamp_that_is_no_count_of_seconds_is_none(sent: float, told: float | None) -> None:
    """Zero, negative, not a number, and milliseconds tell no time."""
    reply = _snapshot()
    reply.s2c.snapshot_list[0].basic.update_timestamp = sent
    [snapshot] = replies.market_snapshot(reply, ["HK.00700"])
    assert snapshot.update_timestamp == told


def test_a_snapshot_may_leave_codes_out() -> None:
    """The gateway has nothing to say of them."""
    assert [one.code for one in replies.market_snapshot(_snapshot(), ["HK.00005", "HK.00700"])] == ["HK.00700"]


@pytest.mark.parametrize(("code", "market"), [("AAPL", 11), ("00700", 11), ("00005", 1), ("700", 1)])
def test_an_answer_about_another_security_is_malformed(code: str, market: int) -> None:
    """It was not asked for."""
    with pytest.raises(MalformedBody, match="not asked for"):
        replies.market_snapshot(_snapshot(code, market), ["HK.00700"])


def test_more_snapshots_than_codes_are_malformed() -> None:
    """Nobody asked for so many."""
    reply = _snapshot()
    reply.s2c.snapshot_list.add().CopyFrom(reply.s2c.snapshot_list[0])
    with pytest.raises(MalformedBody, match="2 snapshots for 1 codes"):
        replies.market_snapshot(reply, ["HK.00700"])


def test_a_refused_snapshot_says_why() -> None:
    """As every other refusal."""
    reply = quote.QotGetSecuritySnapshotResponse(ret_type=-1, ret_msg="获取市场快照频率太高")
    with pytest.raises(OverBudget):
        replies.market_snapshot(reply, ["HK.00700"])


def test_trade_dates_know_half_days() -> None:
    """Morning only; a type this version does not know is a whole day."""
    reply = quote.QotRequestTradeDateResponse(ret_type=0, s2c=quote.QotRequestTradeDateS2C())
    for time, kind in (("2026-12-23", 0), ("2026-12-24", 1), ("2026-12-28 00:00:00", 9)):
        reply.s2c.trade_date_list.add(time=time, trade_date_type=kind)
    assert replies.trade_dates(reply) == [
        TradeDate("2026-12-23", TradeDateType.WHOLE),
        TradeDate("2026-12-24", TradeDateType.MORNING),
        TradeDate("2026-12-28", TradeDateType.WHOLE),
    ]


def test_a_trade_date_that_is_no_day_is_malformed() -> None:
    """The calendar is not guessed."""
    reply = quote.QotRequestTradeDateResponse(ret_type=0, s2c=quote.QotRequestTradeDateS2C())
    reply.s2c.trade_date_list.add(time="soon")
    with pytest.raises(MalformedBody, match="'soon'"):
        replies.trade_dates(reply)


def test_a_subscription_is_answered_without_content() -> None:
    """Yes is enough."""
    replies.subscribed(quote.QotSubResponse(ret_type=0))


def test_the_quota_is_of_all_connections() -> None:
    """Used and left."""
    s2c = quote.QotGetSubInfoS2C(total_used_quota=20, remain_quota=80)
    assert replies.subscription_quota(quote.QotGetSubInfoResponse(ret_type=0, s2c=s2c)) == SubscriptionQuota(20, 80)


def test_pushed_quotes_tell_running_totals() -> None:
    """Those of other markets are left out."""
    push = says.basic_quotes(("HK.00700", 5000))
    push.s2c.basic_qot_list.add().CopyFrom(push.s2c.basic_qot_list[0])
    push.s2c.basic_qot_list[1].security.market = 11
    assert replies.basic_quotes(push) == [BasicQuote("HK.00700", 466.0, 5000, 2330000.0, is_suspended=False)]


def test_a_push_that_says_no_tells_nothing() -> None:
    """Nobody asked, so there is nobody to tell."""
    assert replies.basic_quotes(quote.QotUpdateBasicQotResponse(ret_type=-1)) == []


def test_a_reply_about_the_session_is_no_answer_about_quotes() -> None:
    """Every response type is told apart."""
    with pytest.raises(MalformedBody):
        replies.subscribed(session.KeepAliveResponse(ret_type=0))
