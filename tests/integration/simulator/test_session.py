"""Opening a session with the simulated gateway, keeping it, and losing it."""

import asyncio
from pathlib import Path

import pytest

from brokertape.gateway.client import GatewayClient
from brokertape.gateway.encryption import PacketEncAlgo, PlainCipher, RsaCipher
from brokertape.gateway.errors import InvalidSettings
from brokertape.gateway.framing import encode_frame
from brokertape.gateway.messages import ProtoId
from brokertape.gateway.settings import GatewaySettings
from brokertape.gateway_pb.v1 import quote_pb2 as quote
from brokertape.gateway_pb.v1 import session_pb2 as session
from brokertape.simulator import GatewayServer, SimulatorSettings, serve
from support.raw_client import RawClient, connected, opened, top_ten_request
from support.simulators import simulator_settings
from support.waiting import until

TOP_TEN = ProtoId.QOT_GET_TOP_TEN_BUY_SELL_BROKERS


async def test_a_session_opens_with_terms_of_its_own() -> None:
    """Every connection gets another id and another key, and the advised heartbeat."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as a, opened(server.port) as b:
        assert a.opened is not None
        assert b.opened is not None
        assert a.opened.conn_id != b.opened.conn_id
        assert a.opened.conn_aes_key != b.opened.conn_aes_key
        assert a.opened.keep_alive_interval == 10
        assert (await a.global_state()).s2c.conn_id == a.opened.conn_id


@pytest.mark.parametrize("algorithm", [*PacketEncAlgo, None])
async def test_a_session_is_encrypted_as_it_asked(algorithm: PacketEncAlgo | None, key_file: Path) -> None:
    """CBC, the gateway's own ECB, that too when nothing is said, or nothing after InitConnect."""
    settings = simulator_settings(rsa_key_file=key_file)
    rsa = RsaCipher.from_file(key_file)
    async with GatewayServer(settings) as server, opened(server.port, algorithm=algorithm, rsa=rsa) as client:
        reply = await client.top_ten()
        assert reply.ret_type == 0
        assert len(reply.s2c.broker_list) == 20


async def test_an_algorithm_nobody_uses_is_refused_in_words(key_file: Path) -> None:
    """AES_ECB is not simulated; the reply says so and can be read."""
    request = session.InitConnectRequest(c2s=session.InitConnectC2S(client_ver=300, client_id="raw", packet_enc_algo=1))
    async with (
        GatewayServer(simulator_settings(rsa_key_file=key_file)) as server,
        connected(server.port) as client,
    ):
        client.cipher = RsaCipher.from_file(key_file)
        reply = await client.ask(ProtoId.INIT_CONNECT, request)
        assert reply.ret_type == -1
        assert "packetEncAlgo" in reply.ret_msg


async def test_a_client_without_the_key_is_cut(key_file: Path) -> None:
    """A plain InitConnect to a gateway with a key, and an encrypted one to a gateway without."""
    async with GatewayServer(simulator_settings(rsa_key_file=key_file)) as server, connected(server.port) as client:
        with pytest.raises(EOFError):
            await client.open()
    async with GatewayServer(simulator_settings()) as server, connected(server.port) as client:
        with pytest.raises(EOFError):
            await client.open(PacketEncAlgo.AES_CBC, RsaCipher.from_file(key_file))


def _wrong_sha() -> bytes:
    data = bytearray(encode_frame(TOP_TEN, 9, top_ten_request().SerializeToString(), PlainCipher()))
    data[20] ^= 1
    return bytes(data)


def _json_body() -> bytes:
    data = bytearray(encode_frame(TOP_TEN, 9, b'{"c2s":{}}', PlainCipher()))
    data[6] = 1
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [_wrong_sha(), _json_body(), b"GET / HTTP/1.1\r\n\r\n", b"FT" + b"\xff" * 42],
    ids=["wrong SHA-1", "JSON", "HTTP", "endless body"],
)
async def test_bytes_that_break_the_protocol_close_the_connection(data: bytes) -> None:
    """Only that connection: another one goes on."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as bad, opened(server.port) as good:
        bad.send_bytes(data)
        with pytest.raises(EOFError):
            await bad.frame()
        assert (await good.top_ten()).ret_type == 0


async def test_nothing_is_answered_before_initconnect() -> None:
    """A request that comes first closes the connection."""
    async with GatewayServer(simulator_settings()) as server, connected(server.port) as client:
        with pytest.raises(EOFError):
            await client.top_ten()


async def test_what_it_cannot_read_or_does_not_know_is_answered_with_a_failure() -> None:
    """An empty body is an invalid packet, an unknown protocol a plain failure; the session goes on."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as client:
        assert (await client.ask(TOP_TEN, quote.QotSubS2C())).ret_type == -500
        await client.send(3999, top_ten_request())
        assert (await client.reply(ProtoId.KEEP_ALIVE)).ret_type == -1
        assert (await client.top_ten()).ret_type == 0


async def test_logins_are_refused_until_somebody_logs_in() -> None:
    """InitConnect fails with a reason, and succeeds on the same connection later."""
    async with GatewayServer(simulator_settings(refuse_logins_s=1e9)) as server, connected(server.port) as client:
        refused = await client.open()
        assert (refused.ret_type, refused.ret_msg) == (-1, "未登录：需要手机验证码")
        server.misbehaviour.refuse_logins(until_s=server.now_s)
        assert (await client.open()).ret_type == 0


async def test_a_connection_without_heartbeat_is_cut() -> None:
    """Who sends KeepAlive stays, who only asks is cut."""
    async with (
        GatewayServer(simulator_settings(keep_alive_timeout_s=2.0)) as server,
        opened(server.port) as alive,
        opened(server.port) as silent,
    ):
        cut = asyncio.create_task(_ask_until_cut(silent))
        while not cut.done():
            assert (await alive.keep_alive()).ret_type == 0
            await asyncio.sleep(0.02)
        await cut
        assert (await alive.keep_alive()).ret_type == 0


async def _ask_until_cut(client: RawClient) -> None:
    while True:
        try:
            await client.global_state()
        except (EOFError, ConnectionError):
            return
        await asyncio.sleep(0.02)


async def test_one_connection_too_many_is_closed() -> None:
    """And there is room again once another one leaves."""
    async with GatewayServer(simulator_settings(max_connections=1)) as server:
        async with opened(server.port), connected(server.port) as second:
            with pytest.raises((EOFError, ConnectionError)):
                await second.open()
        await until(lambda: server.connection_count == 0)
        async with opened(server.port) as third:
            assert (await third.top_ten()).ret_type == 0


async def test_a_restart_drops_everybody_and_refuses_them_while_it_is_down() -> None:
    """Afterwards the same port answers, with another session."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as client:
        restart = asyncio.create_task(server.restart(down_s=1.0))
        with pytest.raises(EOFError):
            await client.frame()
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", server.port)
        await restart
        async with opened(server.port) as again:
            assert client.opened is not None
            assert again.opened is not None
            assert again.opened.conn_id != client.opened.conn_id


async def test_a_kick_out_is_told_and_then_everybody_is_dropped() -> None:
    """First the event, then the status, then the close; who reconnects sees the status until somebody logs in."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as client:
        await server.kick_out()
        assert (await client.push(ProtoId.NOTIFY)).s2c.event.event_type == 7
        assert (await client.push(ProtoId.NOTIFY)).s2c.program_status.program_status.type == 11
        assert client.pushed_serial_nos == [0, 0]
        with pytest.raises(EOFError):
            await client.frame()
        async with opened(server.port) as again:
            state = (await again.global_state()).s2c
            assert (state.program_status.type, state.qot_logined) == (11, False)
            server.log_in()
            assert (await again.global_state()).s2c.qot_logined


async def test_losing_the_backend_is_told_and_fails_quotes_while_the_link_stays() -> None:
    """Requests fail with the backend's text until it is back."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as client:
        server.log_out()
        assert not (await client.push(ProtoId.NOTIFY)).s2c.connect_status.qot_logined
        reply = await client.top_ten()
        assert (reply.ret_type, reply.ret_msg) == (-1, "NN_ProtoRet_ByDisConnOrCacnel")
        server.log_in()
        assert (await client.push(ProtoId.NOTIFY)).s2c.connect_status.qot_logined
        assert (await client.top_ten()).ret_type == 0


async def test_who_did_not_ask_to_be_told_is_not() -> None:
    """Without recvNotify no notice comes before the next reply."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port, recv_notify=False) as client:
        server.log_out()
        server.log_in()
        await client.keep_alive()
        assert client.pushes == []


async def test_serve_runs_until_told_to_stop() -> None:
    """It says where it listens, and after the stop nobody is connected."""
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(simulator_settings(), stop, ready.set_result))
    server: GatewayServer = await ready
    async with opened(server.port) as client:
        assert (await client.top_ten()).ret_type == 0
        stop.set()
        await serving
        with pytest.raises(EOFError):
            await client.frame()


@pytest.mark.parametrize("name", ["port", "log_file"])
async def test_what_cannot_be_opened_is_one_clear_line(name: str, tmp_path: Path) -> None:
    """A port that is taken, a log in a directory that is not there."""
    async with GatewayServer(simulator_settings()) as taken:
        changes = {"port": taken.port, "log_file": tmp_path / "nowhere" / "log"}
        settings: SimulatorSettings = simulator_settings(**{"log_file": tmp_path / "log", name: changes[name]})
        with pytest.raises(InvalidSettings, match=str(changes[name])):
            await serve(settings, asyncio.Event())


async def test_each_gateway_is_logged_in_as_somebody_else() -> None:
    """Unless it is told as whom: by that clients know which gateways share an account."""
    users = []
    for told in (0, 0, 7, 7):
        async with GatewayServer(simulator_settings(login_user_id=told)) as server:
            settings = GatewaySettings(port=server.port, request_timeout_s=2)
            async with GatewayClient(settings) as client:
                assert client.login_user_id == 0  # nobody is known yet
                await client.wait_connected(10)
                assert client.login_user_id == server.login_user_id
                users.append((server.port, client.login_user_id))
    assert [user for _, user in users[2:]] == [7, 7]
    assert all(user > 7 for _, user in users[:2])
