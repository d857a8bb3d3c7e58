"""One connection to a gateway that says what the test has it say."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from google.protobuf.message import Message

from brokertape.gateway import opening, requests
from brokertape.gateway.counters import GatewayCounters
from brokertape.gateway.encryption import PacketEncAlgo
from brokertape.gateway.errors import (
    ConnectFailed,
    InitRefused,
    LinkLost,
    NotConnected,
    RequestTimeout,
    WrongDigest,
    WrongFlag,
)
from brokertape.gateway.exchange import Push
from brokertape.gateway.messages import ProtoId
from brokertape.gateway.opening import Opening
from brokertape.gateway.session import Session, open_session
from support import scripted_gateway as says
from support.scripted_gateway import Call, ScriptedGateway
from support.waiting import until

TOP_TEN = ProtoId.QOT_GET_TOP_TEN_BUY_SELL_BROKERS
SHORT_S = 0.3  # of a gateway that answers at once, on a busy machine


def _ignore(_: Push) -> None:
    pass


@asynccontextmanager
async def _session(
    gateway: ScriptedGateway,
    on_push: Callable[[Push], None] = _ignore,
    counters: GatewayCounters | None = None,
    **settings: Any,
) -> AsyncIterator[Session]:
    plain = Opening("me", PacketEncAlgo.NONE, None)
    async with open_session(gateway.settings(**settings), plain, counters or GatewayCounters(), on_push) as session:
        yield session


async def _ask(session: Session, code: str = "HK.00700") -> Message:
    return await session.ask(TOP_TEN, requests.top_ten_brokers(code, 0))


def _name_the_code(call: Call) -> Message:
    return says.top_ten(call.request.c2s.security.code)


async def test_several_requests_in_flight_get_their_own_replies_in_any_order(gateway: ScriptedGateway) -> None:
    """The gateway answers the last first."""
    gateway.scripts[TOP_TEN] = says.silent
    codes = [f"HK.{i:05d}" for i in range(10)]
    async with _session(gateway) as session:
        asked = [asyncio.create_task(_ask(session, code)) for code in codes]
        await until(lambda: len(gateway.received(TOP_TEN)) == 10)
        for call in reversed(gateway.received(TOP_TEN)):
            call.reply(_name_the_code(call))
        assert await asyncio.gather(*asked) == [says.top_ten(code[3:]) for code in codes]


async def test_nobody_listening_fails_to_connect_with_the_systems_reason(gateway: ScriptedGateway) -> None:
    """As when the gateway is down, or not logged in yet."""
    await gateway.stop()
    with pytest.raises(ConnectFailed, match=f"127.0.0.1:{gateway.port}: Connection refused"):
        async with _session(gateway):
            pass


async def test_a_silent_gateway_times_out_on_init_connect(gateway: ScriptedGateway) -> None:
    """The connection stands, nothing comes."""
    gateway.openings.append(says.silent)
    with pytest.raises(RequestTimeout, match=r"INIT_CONNECT within 0\.3 s"):
        async with _session(gateway, request_timeout_s=SHORT_S):
            pass
    await until(lambda: not gateway.open_connections)


async def test_a_refused_init_connect_closes_the_socket(gateway: ScriptedGateway) -> None:
    """The gateway's text is the reason."""
    gateway.openings.append(lambda _: says.refused())
    with pytest.raises(InitRefused, match="请输入手机验证码"):
        async with _session(gateway):
            pass
    await until(lambda: not gateway.open_connections)


async def test_a_connection_closed_on_init_connect_says_what_may_be_wrong(gateway: ScriptedGateway) -> None:
    """A gateway that cannot read the request says nothing."""
    gateway.openings.append(lambda call: call.connection.close())
    with pytest.raises(LinkLost, match="only one side has an RSA key"):
        async with _session(gateway):
            pass


async def test_another_service_on_the_port_is_no_gateway(gateway: ScriptedGateway) -> None:
    """Its first bytes give it away."""
    gateway.openings.append(lambda call: call.connection.send_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    with pytest.raises(WrongFlag):
        async with _session(gateway):
            pass


async def test_a_timeout_ends_the_session(gateway: ScriptedGateway) -> None:
    """The caller gets it, others in flight get the loss, later ones are not sent."""
    counters = GatewayCounters()
    gateway.scripts[TOP_TEN] = says.silent
    async with _session(gateway, counters=counters, request_timeout_s=SHORT_S) as session:
        first = asyncio.create_task(_ask(session))
        await asyncio.sleep(0)  # `first` has been sent
        session._exchange._request_timeout_s = 60  # `second` is not due with it
        second = asyncio.create_task(_ask(session))
        with pytest.raises(RequestTimeout, match=r"QOT_GET_TOP_TEN_BUY_SELL_BROKERS within 0\.3 s"):
            await first
        with pytest.raises(LinkLost, match="before the reply"):
            await second
        with pytest.raises(NotConnected):
            await _ask(session)
    assert counters.timeouts == 1


async def test_a_timeout_resets_the_connection(gateway: ScriptedGateway) -> None:
    """A plain close would still deliver what has not reached the gateway, which would count it later."""
    gateway.scripts[TOP_TEN] = says.silent
    async with _session(gateway, request_timeout_s=SHORT_S) as session:
        with pytest.raises(RequestTimeout):
            await _ask(session)
    await until(lambda: gateway.connections[0].was_reset)


async def test_a_cancelled_request_still_has_its_deadline(gateway: ScriptedGateway) -> None:
    """The gateway may yet count it, so its silence ends the session as any other's."""
    gateway.scripts[TOP_TEN] = says.silent
    async with _session(gateway, request_timeout_s=SHORT_S) as session:
        asked = asyncio.create_task(_ask(session))
        await until(lambda: gateway.received(TOP_TEN))
        asked.cancel()
        await asyncio.wait([session.lost])
        assert isinstance(session.lost.result(), RequestTimeout)


async def test_the_reply_to_a_cancelled_request_harms_nobody(gateway: ScriptedGateway) -> None:
    """It is taken, and the next request gets its own."""
    counters = GatewayCounters()
    gateway.scripts[TOP_TEN] = says.silent
    async with _session(gateway, counters=counters) as session:
        asked = asyncio.create_task(_ask(session))
        await until(lambda: gateway.received(TOP_TEN))
        asked.cancel()
        await asyncio.wait([asked])
        gateway.received(TOP_TEN)[0].reply(says.top_ten("late"))
        gateway.scripts[TOP_TEN] = _name_the_code
        assert await _ask(session) == says.top_ten("00700")
    assert counters.late_replies == 0


async def test_a_late_reply_is_counted_and_dropped(gateway: ScriptedGateway) -> None:
    """A second answer to an answered request disturbs nobody."""
    counters = GatewayCounters()

    def twice(call: Call) -> Message:
        call.reply(says.top_ten("first"))
        return says.top_ten("second")

    gateway.scripts[TOP_TEN] = twice
    async with _session(gateway, counters=counters) as session:
        assert await _ask(session) == says.top_ten("first")
        assert await _ask(session) == says.top_ten("first")
        assert counters.late_replies >= 1


async def test_keep_alives_are_sent_all_the_while(gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, without anything else going on."""
    monkeypatch.setattr(opening, "KEEP_ALIVE_FRACTION", 0.001)  # 10 ms of the 10 s that are advised
    async with _session(gateway, request_timeout_s=30) as session:
        await until(lambda: len(gateway.received(ProtoId.KEEP_ALIVE)) == 3)
        assert session.is_open


async def test_an_unanswered_keep_alive_ends_the_session(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link that is dead is found out without any request."""
    monkeypatch.setattr(opening, "KEEP_ALIVE_FRACTION", 0.001)
    gateway.scripts[ProtoId.KEEP_ALIVE] = says.silent
    async with _session(gateway, request_timeout_s=SHORT_S) as session:
        await asyncio.wait([session.lost])
        assert isinstance(session.lost.result(), RequestTimeout)


async def test_a_loss_fails_everything_in_flight_at_once(gateway: ScriptedGateway) -> None:
    """Nobody waits for a timeout."""
    gateway.scripts[TOP_TEN] = says.silent
    async with _session(gateway) as session:
        asked = [asyncio.create_task(_ask(session)) for _ in range(3)]
        await until(lambda: len(gateway.received(TOP_TEN)) == 3)
        gateway.connections[0].close()
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [LinkLost] * 3
        assert not session.is_open


async def test_a_loss_in_mid_message_says_so(gateway: ScriptedGateway) -> None:
    """The rest will not come."""

    def half(call: Call) -> None:
        call.connection.send_bytes(b"FT\xaf\x0c")
        call.connection.close()

    gateway.scripts[TOP_TEN] = half
    async with _session(gateway) as session:
        with pytest.raises(LinkLost, match="in the middle of a message"):
            await _ask(session)


async def test_damaged_bytes_end_the_session(gateway: ScriptedGateway) -> None:
    """A reply that fails its digest is neither returned nor skipped."""

    def damaged(call: Call) -> None:
        data = bytearray(says.framed(TOP_TEN, call.serial_no, says.top_ten("A")))
        data[-1] ^= 1
        call.connection.send_bytes(bytes(data))

    gateway.scripts[TOP_TEN] = damaged
    async with _session(gateway) as session:
        with pytest.raises(LinkLost) as caught:
            await _ask(session)
        assert isinstance(caught.value.__cause__, WrongDigest)
    await until(lambda: not gateway.open_connections)


async def test_pushes_and_unknown_messages_come_between_replies(gateway: ScriptedGateway) -> None:
    """Known ones are handed on, others counted."""
    counters, pushed = GatewayCounters(), list[Push]()

    def with_pushes(call: Call) -> Message:
        call.connection.push(3007, says.kicked_out())
        call.connection.push(ProtoId.NOTIFY, says.kicked_out())
        return says.top_ten("A")

    gateway.scripts[TOP_TEN] = with_pushes
    async with _session(gateway, pushed.append, counters) as session:
        assert await _ask(session) == says.top_ten("A")
    assert [push.message for push in pushed] == [says.kicked_out()]
    assert counters.unknown_messages == 1


async def test_a_callbacks_error_ends_the_session_with_it(gateway: ScriptedGateway) -> None:
    """It is not swallowed; whoever waits for the loss sees it."""

    def fail(_: Push) -> None:
        raise KeyError("callback")

    async with _session(gateway, fail) as session:
        gateway.connections[0].push(ProtoId.NOTIFY, says.kicked_out())
        await asyncio.wait([session.lost])
        assert isinstance(session.lost.result(), KeyError)


async def test_closing_closes_the_socket_and_fails_what_is_in_flight(gateway: ScriptedGateway) -> None:
    """Before `open_session` returns."""
    gateway.scripts[TOP_TEN] = says.silent
    before = says.open_sockets()
    async with _session(gateway) as session:
        asked = asyncio.create_task(_ask(session))
        await until(lambda: gateway.received(TOP_TEN))
    with pytest.raises(LinkLost, match="closed by this side"):
        await asked
    await until(lambda: not gateway.open_connections)
    assert says.open_sockets() == before
