"""The client's calls, pushes and life."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest
from google.protobuf.message import Message

from brokertape.gateway import (
    BasicQuote,
    Gateway,
    GatewayClient,
    GatewayNotice,
    GatewaySettings,
    InvalidCode,
    InvalidRequest,
    KeyFileError,
    LinkState,
    NotConnected,
    OverBudget,
    PacketEncAlgo,
    SubscriptionQuota,
    TradeDate,
    TradeDateType,
)
from brokertape.gateway.encryption import RsaCipher
from brokertape.gateway.messages import ProtoId
from brokertape.gateway_pb.v1 import quote_pb2 as quote
from support import scripted_gateway as says
from support.link_log import LinkLog
from support.scripted_gateway import Call, ScriptedGateway
from support.waiting import until

TOP_TEN = ProtoId.QOT_GET_TOP_TEN_BUY_SELL_BROKERS


def test_the_client_is_a_gateway() -> None:
    """A checker holds it to the port; this shows that it did."""
    gateway: Gateway = GatewayClient()
    assert not gateway.is_connected


async def test_a_table_is_asked_for_and_read(gateway: ScriptedGateway) -> None:
    """From the code to its brokers."""
    gateway.scripts[TOP_TEN] = lambda _: says.top_ten("A", "B")
    async with GatewayClient(gateway.settings()) as client:
        await client.wait_connected(10)
        table = await client.top_ten_brokers("HK.00700")
    assert (table.code, [broker.broker_name for broker in table.brokers]) == ("HK.00700", ["A", "B"])
    assert gateway.calls[-1].request.c2s.security.code == "00700"


async def test_a_past_table_says_its_day(gateway: ScriptedGateway) -> None:
    """`days_before` reaches the gateway."""
    async with GatewayClient(gateway.settings()) as client:
        await client.wait_connected(10)
        await client.top_ten_brokers("HK.00700", 3)
    assert gateway.calls[-1].request.c2s.days_before == 3


async def test_what_cannot_be_meant_spends_no_request(gateway: ScriptedGateway) -> None:
    """A wrong code, day or number of codes is told before anything is sent."""
    async with GatewayClient(gateway.settings()) as client:
        await client.wait_connected(10)
        with pytest.raises(InvalidCode):
            await client.top_ten_brokers("US.AAPL")
        with pytest.raises(InvalidRequest):
            await client.market_snapshot(["HK.00700"] * 401)
        with pytest.raises(InvalidRequest):
            await client.trade_dates("today", "tomorrow")
        assert client.counters.requests == 1  # InitConnect


async def test_a_refusal_leaves_the_session_up(gateway: ScriptedGateway) -> None:
    """No is an answer."""
    gateway.scripts[TOP_TEN] = lambda _: quote.QotGetTopTenBuySellBrokersResponse(ret_type=-1, ret_msg="频率太高")
    async with GatewayClient(gateway.settings()) as client:
        await client.wait_connected(10)
        with pytest.raises(OverBudget):
            await client.top_ten_brokers("HK.00700")
        assert client.is_connected
    assert client.counters.sessions == 1


async def test_the_other_calls_are_answered_too(gateway: ScriptedGateway) -> None:
    """State, static data, snapshots, calendar and quota."""
    gateway.scripts |= {
        ProtoId.QOT_GET_STATIC_INFO: lambda _: quote.QotGetStaticInfoResponse(
            ret_type=0, s2c=quote.QotGetStaticInfoS2C()
        ),
        ProtoId.QOT_GET_SECURITY_SNAPSHOT: lambda _: quote.QotGetSecuritySnapshotResponse(
            ret_type=0, s2c=quote.QotGetSecuritySnapshotS2C()
        ),
        ProtoId.QOT_REQUEST_TRADE_DATE: lambda _: quote.QotRequestTradeDateResponse(
            ret_type=0, s2c=quote.QotRequestTradeDateS2C(trade_date_list=[quote.TradeDate(time="2026-05-08")])
        ),
        ProtoId.QOT_GET_SUB_INFO: lambda _: quote.QotGetSubInfoResponse(
            ret_type=0, s2c=quote.QotGetSubInfoS2C(total_used_quota=1, remain_quota=99)
        ),
    }
    async with GatewayClient(gateway.settings()) as client:
        await client.wait_connected(10)
        assert (await client.global_state()).is_ready
        assert await client.static_info(["HK.00700"]) == []
        assert await client.market_snapshot(["HK.00700"]) == []
        assert await client.trade_dates("2026-05-08", "2026-05-08") == [TradeDate("2026-05-08", TradeDateType.WHOLE)]
        assert await client.subscription_quota() == SubscriptionQuota(1, 99)


async def test_several_calls_at_once_share_one_session(gateway: ScriptedGateway) -> None:
    """Each gets its own table."""
    gateway.scripts[TOP_TEN] = lambda call: says.top_ten(call.request.c2s.security.code)
    codes = [f"HK.{i:05d}" for i in range(30)]
    async with GatewayClient(gateway.settings()) as client:
        await client.wait_connected(10)
        tables = await asyncio.gather(*(client.top_ten_brokers(code) for code in codes))
    assert [(table.code, table.brokers[0].broker_name) for table in tables] == [(code, code[3:]) for code in codes]
    assert len(gateway.connections) == 1


@pytest.mark.parametrize("algorithm", [PacketEncAlgo.AES_CBC, PacketEncAlgo.FTAES_ECB])
async def test_a_gateway_with_a_key_is_talked_to_encrypted(key_file: Path, algorithm: PacketEncAlgo) -> None:
    """InitConnect under RSA, everything else under AES, pushes included."""
    notices: list[GatewayNotice] = []
    async with ScriptedGateway(RsaCipher.from_file(key_file)) as gateway:
        gateway.scripts[TOP_TEN] = lambda _: says.top_ten("A")
        settings = gateway.settings(rsa_key_file=key_file, packet_enc_algo=algorithm)
        async with GatewayClient(settings, on_notice=notices.append) as client:
            await client.wait_connected(10)
            gateway.connections[0].push(ProtoId.NOTIFY, says.kicked_out())
            assert (await client.top_ten_brokers("HK.00700")).brokers[0].broker_name == "A"
    assert [notice.name for notice in notices] == ["kicked_out"]


async def test_another_key_than_the_gateways_is_named_as_the_cause(key_file: Path, other_key_file: Path) -> None:
    """However the gateway reacts: here it answers under its own key."""
    log = LinkLog()
    async with ScriptedGateway(RsaCipher.from_file(key_file)) as gateway:

        def answer_under_another_key(call: Call) -> Message:
            call.connection.cipher = RsaCipher.from_file(other_key_file)
            return says.accepted()

        gateway.openings.append(answer_under_another_key)
        async with GatewayClient(gateway.settings(rsa_key_file=key_file), on_link=log):
            assert "RSA key is not the one of rsa_key_file" in await log.until(LinkState.REFUSED)


async def test_a_client_without_the_gateways_key_is_told_of_keys(key_file: Path) -> None:
    """The gateway cannot read its request and closes."""
    log = LinkLog()
    gateway = ScriptedGateway(RsaCipher.from_file(key_file))
    async with gateway, GatewayClient(gateway.settings(), on_link=log):
        assert "RSA key" in await log.until(LinkState.LOST)


def test_a_bad_key_file_is_told_when_the_client_is_made(tmp_path: Path) -> None:
    """Before anything runs; reconnecting would not mend it."""
    with pytest.raises(KeyFileError):
        GatewayClient(GatewaySettings(rsa_key_file=tmp_path / "none.pem"))


async def test_pushed_quotes_reach_their_callback(gateway: ScriptedGateway) -> None:
    """As values, one list a push."""
    quotes: list[Sequence[BasicQuote]] = []
    async with GatewayClient(gateway.settings(), on_quotes=quotes.append) as client:
        await client.wait_connected(10)
        await client.subscribe_quotes(["HK.00700", "HK.00005"])
        push = says.basic_quotes(("HK.00700", 100), ("HK.00005", 200))
        gateway.connections[0].push(ProtoId.QOT_UPDATE_BASIC_QOT, push)
        await until(lambda: quotes)
    assert [(quote.code, quote.volume) for quote in quotes[0]] == [("HK.00700", 100), ("HK.00005", 200)]


async def test_subscriptions_are_sent_again_when_the_backend_is_back(gateway: ScriptedGateway) -> None:
    """The link to the gateway stayed up, the gateway's own did not."""
    async with GatewayClient(gateway.settings()) as client:
        await client.wait_connected(10)
        await client.subscribe_quotes(["HK.00700"])
        gateway.connections[0].push(ProtoId.NOTIFY, says.connect_status(is_logined=False))
        gateway.connections[0].push(ProtoId.NOTIFY, says.connect_status(is_logined=True))
        await until(lambda: len(gateway.received(ProtoId.QOT_SUB)) == 2)


async def test_a_client_may_be_run_by_its_owner(gateway: ScriptedGateway) -> None:
    """`run` ends only when cancelled, and leaves the link closed."""
    log = LinkLog()
    client = GatewayClient(gateway.settings(), on_link=log)
    running = asyncio.create_task(client.run())
    await client.wait_connected(10)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert log.states == [LinkState.CONNECTING, LinkState.CONNECTED, LinkState.CLOSED]
    assert client.state is LinkState.CLOSED
    await until(lambda: not gateway.open_connections)


async def test_a_client_runs_once(gateway: ScriptedGateway) -> None:
    """A second run would fight the first for its state."""
    async with GatewayClient(gateway.settings()) as client:
        await client.wait_connected(10)
        with pytest.raises(RuntimeError, match="once"):
            await client.run()
        assert client.is_connected


async def test_a_closed_client_says_so(gateway: ScriptedGateway) -> None:
    """Nobody waits for a session that will not come."""
    async with GatewayClient(gateway.settings()) as client:
        await client.wait_connected(10)
    with pytest.raises(NotConnected, match="stopped"):
        await client.wait_connected()
    with pytest.raises(NotConnected, match="stopped"):
        await client.global_state()


async def test_a_callbacks_error_ends_the_client_with_it(gateway: ScriptedGateway) -> None:
    """It is a fault of this side: told at the end, and to everyone who waits for a session meanwhile."""

    def fail(_: GatewayNotice) -> None:
        raise KeyError("callback")

    log = LinkLog()
    client = await GatewayClient(gateway.settings(), on_link=log, on_notice=fail).__aenter__()
    await client.wait_connected(10)
    gateway.connections[0].push(ProtoId.NOTIFY, says.kicked_out())
    assert "KeyError" in await log.until(LinkState.CLOSED)
    with pytest.raises(NotConnected, match="KeyError"):
        await client.wait_connected()
    with pytest.raises(KeyError, match="callback"):
        await client.aclose()
    await until(lambda: not gateway.open_connections)


async def test_a_client_that_is_closed_before_it_began_leaves_nothing(gateway: ScriptedGateway) -> None:
    """The block may be empty."""
    async with GatewayClient(gateway.settings()):
        pass
    assert gateway.connections == []


async def test_calls_write_no_log_lines(gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture) -> None:
    """A poll a second would make a log nobody reads."""
    async with GatewayClient(gateway.settings()) as client:
        await client.wait_connected(10)
        caplog.clear()
        with caplog.at_level(logging.DEBUG, logger="brokertape"):
            await client.top_ten_brokers("HK.00700")
        assert caplog.records == []
