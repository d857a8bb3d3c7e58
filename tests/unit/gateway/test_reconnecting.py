"""A link that has to last for hours: what users of the vendor's SDK meet, and must not meet here."""

import asyncio
import logging

import pytest
from google.protobuf.message import Message

from brokertape.gateway import (
    GatewayClient,
    GatewayNotice,
    LinkLost,
    LinkState,
    NotConnected,
    RequestTimeout,
)
from brokertape.gateway.messages import ProtoId
from support import scripted_gateway as says
from support.link_log import LinkLog
from support.scripted_gateway import Call, ScriptedGateway
from support.waiting import until

TOP_TEN = ProtoId.QOT_GET_TOP_TEN_BUY_SELL_BROKERS
SHORT_S = 0.3  # of a gateway that answers at once, on a busy machine


async def _lose_link(gateway: ScriptedGateway) -> None:
    await until(lambda: gateway.open_connections)
    gateway.open_connections[-1].close()


async def test_a_refused_init_connect_after_a_loss_is_tried_again(gateway: ScriptedGateway) -> None:
    """The gateway is back but not logged in yet; once it is, the client is in."""
    log = LinkLog()
    async with GatewayClient(gateway.settings(), on_link=log) as client:
        await client.wait_connected(10)
        gateway.openings.extend([lambda _: says.refused()] * 3)
        await _lose_link(gateway)
        assert "请输入手机验证码" in await log.until(LinkState.REFUSED)
        await log.until(LinkState.CONNECTED, times=2)
        await client.top_ten_brokers("HK.00700")
    assert log.states == [
        LinkState.CONNECTING,
        LinkState.CONNECTED,
        LinkState.LOST,
        LinkState.REFUSED,
        LinkState.CONNECTED,
        LinkState.CLOSED,
    ]


async def test_an_init_connect_that_times_out_after_a_loss_is_tried_again(gateway: ScriptedGateway) -> None:
    """No answer is no reason to wait for ever."""
    log = LinkLog()
    async with GatewayClient(gateway.settings(request_timeout_s=SHORT_S), on_link=log) as client:
        await client.wait_connected(10)
        gateway.openings.append(says.silent)
        await _lose_link(gateway)
        await log.until(LinkState.CONNECTED, times=2)
        await client.top_ten_brokers("HK.00700")
    assert any("INIT_CONNECT" in reason for state, reason in log.entries if state is LinkState.LOST)


async def test_a_gateway_that_goes_away_and_comes_back_is_found_again(gateway: ScriptedGateway) -> None:
    """Nobody listens for a while."""
    log = LinkLog()
    async with GatewayClient(gateway.settings(), on_link=log) as client:
        await client.wait_connected(10)
        await gateway.stop()
        await until(lambda: "Connection refused" in client.reason)
        assert client.state is LinkState.LOST
        await gateway.start()
        await log.until(LinkState.CONNECTED, times=2)
        await client.top_ten_brokers("HK.00700")
    assert (client.counters.sessions, client.counters.losses) == (2, 1)


async def test_a_loss_in_mid_message_does_not_reach_into_the_next_session(gateway: ScriptedGateway) -> None:
    """Every connection starts with an empty buffer."""

    def half(call: Call) -> None:
        call.connection.send_bytes(says.framed(TOP_TEN, call.serial_no, says.top_ten("A"))[:-1])
        call.connection.close()

    gateway.scripts[TOP_TEN] = half
    log = LinkLog()
    async with GatewayClient(gateway.settings(), on_link=log) as client:
        await client.wait_connected(10)
        with pytest.raises(LinkLost, match="in the middle of a message"):
            await client.top_ten_brokers("HK.00700")
        gateway.scripts[TOP_TEN] = lambda _: says.top_ten("B")
        await log.until(LinkState.CONNECTED, times=2)
        assert (await client.top_ten_brokers("HK.00700")).brokers[0].broker_name == "B"


async def test_bytes_that_are_no_message_end_the_session_not_the_client(gateway: ScriptedGateway) -> None:
    """The flag is checked; losing one's place is not lived with."""
    log = LinkLog()
    async with GatewayClient(gateway.settings(), on_link=log) as client:
        await client.wait_connected(10)
        gateway.connections[0].send_bytes(b"garbage")
        assert "b'ga'" in await log.until(LinkState.LOST)
        await log.until(LinkState.CONNECTED, times=2)


async def test_making_a_client_needs_no_gateway(gateway: ScriptedGateway) -> None:
    """Neither the constructor nor `async with` waits for one; waiting has a bound."""
    await gateway.stop()
    async with GatewayClient(gateway.settings()) as client:
        with pytest.raises(NotConnected, match="no session with the gateway"):
            await client.wait_connected(SHORT_S)


async def test_refused_init_connects_leak_no_sockets(gateway: ScriptedGateway) -> None:
    """However many there are."""
    gateway.openings.extend([lambda _: says.refused()] * 30)
    before = says.open_sockets()
    async with GatewayClient(gateway.settings()) as client:
        await client.wait_connected(10)
        assert len(gateway.connections) == 31
        await until(lambda: len(gateway.open_connections) == 1)
        assert says.open_sockets() == before + 2  # one session, seen from both ends
    await until(lambda: says.open_sockets() == before)


async def test_a_lost_reply_costs_only_its_own_timeout(gateway: ScriptedGateway) -> None:
    """The next call, in a new session, is answered at once."""
    gateway.scripts[TOP_TEN] = says.silent
    log = LinkLog()
    async with GatewayClient(gateway.settings(request_timeout_s=SHORT_S), on_link=log) as client:
        await client.wait_connected(10)
        with pytest.raises(RequestTimeout):
            await client.top_ten_brokers("HK.00700")
        gateway.scripts[TOP_TEN] = lambda _: says.top_ten("B")
        await log.until(LinkState.CONNECTED, times=2)
        assert (await client.top_ten_brokers("HK.00700")).brokers[0].broker_name == "B"
    assert client.counters.timeouts == 1


async def test_a_reply_awaited_when_the_link_breaks_fails_at_once(gateway: ScriptedGateway) -> None:
    """Not after its timeout, and not with a reply from the next session."""
    gateway.scripts[TOP_TEN] = lambda call: call.connection.close()
    async with GatewayClient(gateway.settings(request_timeout_s=30)) as client:
        await client.wait_connected(10)
        async with asyncio.timeout(5):
            with pytest.raises(LinkLost):
                await client.top_ten_brokers("HK.00700")


async def test_a_call_while_disconnected_fails_at_once(gateway: ScriptedGateway) -> None:
    """It does not wait for the reconnect, and says why there is no session."""
    gateway.openings.append(lambda _: says.refused())
    log = LinkLog()
    settings = gateway.settings(reconnect_first_s=30, reconnect_max_s=30)
    async with GatewayClient(settings, on_link=log) as client:
        with pytest.raises(NotConnected, match="not started"):
            await client.top_ten_brokers("HK.00700")
        await log.until(LinkState.REFUSED)
        async with asyncio.timeout(5):
            with pytest.raises(NotConnected, match="请输入手机验证码"):
                await client.top_ten_brokers("HK.00700")
    assert not gateway.received(TOP_TEN)


async def test_a_gateway_up_but_not_logged_in_can_be_asked_why(gateway: ScriptedGateway) -> None:
    """The session stands; the state says that quotes will not be answered."""
    gateway.scripts[ProtoId.GET_GLOBAL_STATE] = lambda _: says.global_state(is_logined=False, program_status=3)
    async with GatewayClient(gateway.settings()) as client:
        await client.wait_connected(10)
        state = await client.global_state()
        assert (state.is_ready, state.qot_logined, state.program_status) == (False, False, 3)
        assert client.is_connected


async def test_being_kicked_out_is_told_and_survived(gateway: ScriptedGateway) -> None:
    """The notice, the loss, the refusals while somebody sees to it, and the way back."""
    log, notices = LinkLog(), list[GatewayNotice]()
    async with GatewayClient(gateway.settings(), on_link=log, on_notice=notices.append) as client:
        await client.wait_connected(10)
        gateway.openings.extend([lambda _: says.refused()] * 2)
        gateway.connections[0].push(ProtoId.NOTIFY, says.kicked_out())
        await _lose_link(gateway)
        await log.until(LinkState.CONNECTED, times=2)
    assert [(notice.name, notice.is_alarm) for notice in notices] == [("kicked_out", True)]
    assert log.states[2:4] == [LinkState.LOST, LinkState.REFUSED]


async def test_subscriptions_are_sent_again_after_a_reconnect(gateway: ScriptedGateway) -> None:
    """A hundred codes at a time, and pushes go on."""
    codes = [f"HK.{i:05d}" for i in range(150)]
    volumes: list[int] = []
    log = LinkLog()
    client = GatewayClient(
        gateway.settings(), on_link=log, on_quotes=lambda quotes: volumes.extend(quote.volume for quote in quotes)
    )
    async with client:
        await client.wait_connected(10)
        await client.subscribe_quotes(codes)
        await _lose_link(gateway)
        await until(lambda: len(gateway.received(ProtoId.QOT_SUB)) == 4)
        gateway.open_connections[0].push(ProtoId.QOT_UPDATE_BASIC_QOT, says.basic_quotes(("HK.00001", 100)))
        await until(lambda: volumes)
    again = [len(call.request.c2s.security_list) for call in gateway.received(ProtoId.QOT_SUB)[2:]]
    assert (again, volumes) == ([100, 50], [100])


async def test_every_session_has_its_own_serial_numbers_and_client_id(gateway: ScriptedGateway) -> None:
    """Nothing is carried over but the id the gateway knows us by."""
    log = LinkLog()
    async with GatewayClient(gateway.settings(client_id="me"), on_link=log) as client:
        await client.wait_connected(10)
        await client.top_ten_brokers("HK.00700")
        await _lose_link(gateway)
        await log.until(LinkState.CONNECTED, times=2)
    openings = gateway.received(ProtoId.INIT_CONNECT)
    assert [(call.serial_no, call.request.c2s.client_id) for call in openings] == [(1, "me"), (1, "me")]


async def test_the_same_failure_again_is_no_news(gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture) -> None:
    """One warning with cause and delay, one change of state, however long it lasts."""
    gateway.openings.extend([lambda _: says.refused()] * 10)
    log = LinkLog()
    with caplog.at_level(logging.INFO, logger="brokertape.gateway"):
        async with GatewayClient(gateway.settings(), on_link=log) as client:
            await client.wait_connected(10)
    assert log.states.count(LinkState.REFUSED) == 1
    [warning] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "请输入手机验证码" in warning
    assert "next attempt in 0.0 s" in warning


async def test_delays_start_over_after_a_success(gateway: ScriptedGateway) -> None:
    """A gateway that was away for hours is not made to wait at its next short absence."""
    gateway.openings.extend([lambda _: says.refused()] * 5)
    settings = gateway.settings(reconnect_first_s=0.001, reconnect_max_s=60)
    async with GatewayClient(settings) as client:
        await client.wait_connected(10)
        assert next(client._link._delays) <= settings.reconnect_first_s


async def test_a_late_reply_of_the_last_session_is_not_taken_in_the_next(gateway: ScriptedGateway) -> None:
    """Serial numbers start over, so only the connection tells them apart."""

    def answer_old_and_new(call: Call) -> Message:
        gateway.received(TOP_TEN)[0].reply(says.top_ten("old"))
        return says.top_ten("new")

    gateway.scripts[TOP_TEN] = says.silent
    log = LinkLog()
    async with GatewayClient(gateway.settings(request_timeout_s=SHORT_S), on_link=log) as client:
        await client.wait_connected(10)
        with pytest.raises(RequestTimeout):
            await client.top_ten_brokers("HK.00700")
        await log.until(LinkState.CONNECTED, times=2)
        gateway.scripts[TOP_TEN] = answer_old_and_new
        assert (await client.top_ten_brokers("HK.00700")).brokers[0].broker_name == "new"
