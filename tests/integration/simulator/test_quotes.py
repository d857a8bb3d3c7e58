"""What the simulated gateway answers over its socket."""

from typing import Any

import pytest
from google.protobuf.message import Message

from brokertape.gateway.messages import ProtoId
from brokertape.gateway.values import MarketState
from brokertape.gateway_pb.v1 import quote_pb2 as quote
from brokertape.gateway_pb.v1.common_pb2 import Security
from brokertape.simulator import GatewayServer, Language
from support.raw_client import RawClient, opened
from support.simulators import CODES, TEN_O_CLOCK_S, simulator_settings
from support.waiting import until


def securities(*codes: str) -> list[Security]:
    """Hong Kong codes in the gateway's form."""
    return [Security(market=1, code=code) for code in codes]


async def snapshot(client: RawClient, *codes: str) -> Any:
    """The reply to a snapshot request."""
    c2s = quote.QotGetSecuritySnapshotC2S(security_list=securities(*codes))
    return await client.ask(ProtoId.QOT_GET_SECURITY_SNAPSHOT, quote.QotGetSecuritySnapshotRequest(c2s=c2s))


async def test_a_table_holds_what_the_market_shows() -> None:
    """Field for field, with its time in seconds and as text."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as client:
        s2c = (await client.top_ten("00700")).s2c
        table = server.market.table("HK.00700")
        assert s2c.is_real_time
        assert s2c.data_time == table.data_time
        assert s2c.data_time_str.startswith("2026-05-08 09:59")
        assert [(row.net_vol, row.broker_name, row.buy_sell_type) for row in s2c.broker_list] == [
            (item.net_vol, item.broker_name, item.buy_sell_type) for item in table.brokers
        ]
        assert [(row.avg_price, row.total_vol, row.total_turnover) for row in s2c.broker_list] == [
            (item.avg_price, item.total_vol, item.total_turnover) for item in table.brokers
        ]


async def test_a_past_days_rows_carry_three_fields_only() -> None:
    """What real-time rows have beyond them is absent, not zero."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as client:
        s2c = (await client.top_ten("00700", days_before=2)).s2c
        assert not s2c.is_real_time
        assert s2c.data_time_str.startswith("2026-05-06 16:0")
        fields = {field.name for row in s2c.broker_list for field, _ in row.ListFields()}
        assert fields == {"net_vol", "broker_name", "buy_sell_type"}


@pytest.mark.parametrize(
    ("market", "code", "language", "text"),
    [
        (11, "AAPL", Language.CHINESE, "只支持港股正股和基金"),
        (1, "99999", Language.CHINESE, "未知股票 99999"),
        (1, "99999", Language.ENGLISH, "unknown stock 99999"),
    ],
)
async def test_refusals_carry_the_gateways_words(market: int, code: str, language: Language, text: str) -> None:
    """Failed with a text and without a table."""
    async with GatewayServer(simulator_settings(language=language)) as server, opened(server.port) as client:
        reply = await client.top_ten(code, market=market)
        assert (reply.ret_type, reply.ret_msg) == (-1, text)
        assert not reply.HasField("s2c")


async def test_a_text_can_be_told_for_a_code() -> None:
    """At the start by a setting, and taken back at run time."""
    settings = simulator_settings(failing_codes=(("HK.00005", "行情权限不足"),))
    async with GatewayServer(settings) as server, opened(server.port) as client:
        assert (await client.top_ten("00005")).ret_msg == "行情权限不足"
        server.misbehaviour.heal_code("HK.00005")
        assert (await client.top_ten("00005")).ret_type == 0


async def test_an_empty_list_is_a_good_answer() -> None:
    """No rows, no failure."""
    async with GatewayServer(simulator_settings(empty_codes=("HK.00005",))) as server, opened(server.port) as client:
        reply = await client.top_ten("00005")
        assert reply.ret_type == 0
        assert len(reply.s2c.broker_list) == 0


async def test_the_state_is_that_of_the_simulated_moment() -> None:
    """Morning trading at ten, with the market's clock, ready."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as client:
        s2c = (await client.global_state()).s2c
        assert (s2c.market_hk, s2c.time) == (MarketState.MORNING, TEN_O_CLOCK_S)
        assert (s2c.qot_logined, s2c.program_status.type) == (True, 10)
        c2s = quote.QotGetMarketStateC2S(security_list=securities("00700"))
        states = await client.ask(ProtoId.QOT_GET_MARKET_STATE, quote.QotGetMarketStateRequest(c2s=c2s))
        assert [info.market_state for info in states.s2c.market_info_list] == [MarketState.MORNING]


async def test_a_snapshot_shows_the_days_totals() -> None:
    """One entry a code, in the order asked for."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as client:
        basics = [item.basic for item in (await snapshot(client, "00005", "00700")).s2c.snapshot_list]
        assert [basic.security.code for basic in basics] == ["00005", "00700"]
        for basic in basics:
            now = server.market.quote(f"HK.{basic.security.code}")
            assert (basic.volume, basic.turnover, basic.cur_price) == (now.volume, now.turnover, now.cur_price)
            assert basic.volume > 0


async def test_a_snapshot_tells_what_is_suspended_or_delisted() -> None:
    """By a flag and a status; static data know the delisted one too, and all have their names."""
    settings = simulator_settings(suspended_codes=("HK.00005",), delisted_codes=("HK.02800",))
    async with GatewayServer(settings) as server, opened(server.port) as client:
        basics = [item.basic for item in (await snapshot(client, "00700", "00005", "02800")).s2c.snapshot_list]
        assert [(basic.is_suspend, basic.sec_status) for basic in basics] == [(False, 1), (True, 9), (False, 13)]
        assert [basic.name for basic in basics] == ["TENCENT", "HSBC HOLDINGS", "TRACKER FUND"]
        c2s = quote.QotGetStaticInfoC2S(security_list=securities("00700", "00005", "02800"))
        infos = await client.ask(ProtoId.QOT_GET_STATIC_INFO, quote.QotGetStaticInfoRequest(c2s=c2s))
        assert [info.basic.delisting for info in infos.s2c.static_info_list] == [False, False, True]


@pytest.mark.parametrize(
    ("allowed", "language", "text"),
    [
        (20, Language.CHINESE, "行情权限不足，每次最多请求20只股票"),
        (20, Language.ENGLISH, "Your quote rights allow 20 stocks at a time"),
        (0, Language.CHINESE, "行情权限不足"),
        (0, Language.ENGLISH, "No permission to get quotes"),
    ],
)
async def test_a_snapshot_of_more_than_the_rights_allow_fails(allowed: int, language: Language, text: str) -> None:
    """As a whole, with a text; as many as they allow are answered."""
    settings = simulator_settings(snapshot_codes=allowed, language=language)
    async with GatewayServer(settings) as server, opened(server.port) as client:
        reply = await snapshot(client, *["00700"] * (allowed + 1))
        assert (reply.ret_type, reply.ret_msg) == (-1, text)
        if allowed:
            assert len((await snapshot(client, *["00700"] * allowed)).s2c.snapshot_list) == allowed


async def test_a_late_list_stands_while_the_snapshot_moves() -> None:
    """Half an hour after the opening there is volume, and with a lag of an hour the list is still empty."""
    async with (
        GatewayServer(simulator_settings(list_lag_s=(3600.0, 3600.0))) as server,
        opened(server.port) as client,
    ):
        (item,) = (await snapshot(client, "00700")).s2c.snapshot_list
        assert item.basic.volume > 0
        reply = await client.top_ten("00700")
        assert (reply.ret_type, len(reply.s2c.broker_list)) == (0, 0)


@pytest.mark.parametrize("codes", [(), ("00700",) * 401, ("00700", "99999")])
async def test_a_snapshot_of_none_or_too_many_or_an_unknown_code_fails(codes: tuple[str, ...]) -> None:
    """As a whole."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as client:
        assert (await snapshot(client, *codes)).ret_type == -1


async def test_static_info_is_of_the_codes_or_of_the_whole_market() -> None:
    """A list of codes wins; without one the securities of a type come."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as client:
        asked: list[tuple[Message, list[str]]] = [
            (quote.QotGetStaticInfoC2S(market=1, sec_type=3, security_list=securities("02800")), ["02800"]),
            (quote.QotGetStaticInfoC2S(market=1, sec_type=4), ["02800"]),
            (quote.QotGetStaticInfoC2S(market=1), [code.removeprefix("HK.") for code in CODES]),
        ]
        for c2s, codes in asked:
            reply = await client.ask(ProtoId.QOT_GET_STATIC_INFO, quote.QotGetStaticInfoRequest(c2s=c2s))  # type: ignore[arg-type]
            assert [item.basic.security.code for item in reply.s2c.static_info_list] == codes


@pytest.mark.parametrize(
    ("begin", "end", "days"),
    [("2026-05-07", "2026-05-11", ["2026-05-07", "2026-05-08", "2026-05-11"]), ("2026-05-09", "2026-05-10", [])],
)
async def test_trade_dates_leave_out_the_weekend(begin: str, end: str, days: list[str]) -> None:
    """Both ends included."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as client:
        reply = await _trade_dates(client, begin, end)
        assert [day.time for day in reply.s2c.trade_date_list] == days


@pytest.mark.parametrize(("begin", "end"), [("today", "2026-05-11"), ("0001-01-01", "9999-12-31")])
async def test_dates_that_cannot_be_answered_are_refused(begin: str, end: str) -> None:
    """Not a date, or all dates there are."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as client:
        assert (await _trade_dates(client, begin, end)).ret_type == -1


async def _trade_dates(client: RawClient, begin: str, end: str) -> Any:
    c2s = quote.QotRequestTradeDateC2S(market=1, begin_time=begin, end_time=end)
    return await client.ask(ProtoId.QOT_REQUEST_TRADE_DATE, quote.QotRequestTradeDateRequest(c2s=c2s))


async def test_a_subscribed_code_is_pushed_at_once_and_whenever_it_trades() -> None:
    """Volume only rises from push to push."""
    async with GatewayServer(simulator_settings(speed=60.0)) as server, opened(server.port) as client:
        assert (await client.subscribe("00700")).ret_type == 0
        volumes = []
        for _ in range(4):
            (pushed,) = (await client.push(ProtoId.QOT_UPDATE_BASIC_QOT)).s2c.basic_qot_list
            assert pushed.security.code == "00700"
            volumes.append(pushed.volume)
        assert volumes == sorted(set(volumes))
        assert client.pushed_serial_nos == [0] * 4


async def test_without_a_first_push_a_code_that_stands_still_is_not_pushed() -> None:
    """The market does not move, so nothing comes; another code of the same connection does."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as client:
        await client.subscribe("00700", is_first_push=False)
        await client.subscribe("00005")
        (pushed,) = (await client.push(ProtoId.QOT_UPDATE_BASIC_QOT)).s2c.basic_qot_list
        assert pushed.security.code == "00005"


async def test_the_quota_is_shared_and_a_unit_is_kept_for_a_minute() -> None:
    """A second connection's third code is one too many; giving back at once is refused."""
    async with (
        GatewayServer(simulator_settings(subscription_quota=2)) as server,
        opened(server.port) as one,
        opened(server.port) as other,
    ):
        await one.subscribe("00700", "00005")
        assert "2/2" in (await other.subscribe("02800")).ret_msg
        assert (await other.subscribe("00700")).ret_type == 0
        assert "至少需要订阅1分钟" in (await one.subscribe("00700", is_sub=False)).ret_msg
        request = quote.QotGetSubInfoRequest(c2s=quote.QotGetSubInfoC2S())
        info = (await one.ask(ProtoId.QOT_GET_SUB_INFO, request)).s2c
        assert (info.total_used_quota, info.remain_quota) == (2, 0)
        (units,) = info.conn_sub_info_list[0].sub_info_list
        assert sorted(security.code for security in units.security_list) == ["00005", "00700"]


async def test_a_closed_connections_units_are_released_when_a_minute_old() -> None:
    """Until then they count."""
    async with GatewayServer(simulator_settings()) as server:
        async with opened(server.port) as client:
            await client.subscribe("00700")
        await until(lambda: server.connection_count == 0)
        server.subscriptions.expire(server.now_s)
        assert server.subscriptions.used == 1
        server.subscriptions.expire(server.now_s + 60)
        assert server.subscriptions.used == 0
