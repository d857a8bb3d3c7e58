"""A gateway in the test's own event loop that says exactly what the test has it say."""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from google.protobuf.message import Message

from brokertape.gateway.encryption import Cipher, PacketEncAlgo, PlainCipher, RsaCipher, packet_cipher
from brokertape.gateway.errors import FramingError
from brokertape.gateway.framing import Frame, FrameDecoder, encode_frame, open_frame
from brokertape.gateway.messages import ProtoId, parse_request
from brokertape.gateway.securities import to_security
from brokertape.gateway.settings import GatewaySettings
from brokertape.gateway_pb.v1 import quote_pb2 as quote
from brokertape.gateway_pb.v1 import session_pb2 as session
from support.waiting import until

AES_KEY = "0123456789ABCDEF"
AES_IV = "FEDCBA9876543210"
NOW_S = 1_778_198_421


@dataclass
class Connection:
    """One client's connection, as the gateway sees it."""

    writer: asyncio.StreamWriter
    cipher: Cipher
    decoder: FrameDecoder = field(default_factory=FrameDecoder)
    is_closed: bool = False
    was_reset: bool = False

    def send(self, proto_id: int, serial_no: int, message: Message) -> None:
        """Send a reply, or with serial number 0 a push."""
        self.send_bytes(encode_frame(proto_id, serial_no, message.SerializeToString(), self.cipher))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)

    def push(self, proto_id: int, message: Message) -> None:
        """Send what nobody asked for."""
        self.send(proto_id, 0, message)

    def close(self) -> None:
        """Close after what was sent."""
        self.writer.close()


@dataclass
class Call:
    """One request that arrived."""

    connection: Connection
    proto_id: ProtoId
    serial_no: int
    request: Any

    def reply(self, message: Message) -> None:
        """Answer it."""
        self.connection.send(self.proto_id, self.serial_no, message)


Script = Callable[[Call], Message | None]


class ScriptedGateway:
    """Listens on a free port; `scripts` says what each call is answered with, None being silence.

    `openings` are used up first, one for each InitConnect.
    """

    def __init__(self, rsa: RsaCipher | None = None) -> None:
        self.port = 0
        self.connections: list[Connection] = []
        self.calls: list[Call] = []
        self.openings: deque[Script] = deque()
        self.scripts: dict[ProtoId, Script] = {
            ProtoId.INIT_CONNECT: lambda _: accepted(),
            ProtoId.KEEP_ALIVE: lambda _: session.KeepAliveResponse(ret_type=0, s2c=session.KeepAliveS2C(time=NOW_S)),
            ProtoId.GET_GLOBAL_STATE: lambda _: global_state(),
            ProtoId.QOT_SUB: lambda _: quote.QotSubResponse(ret_type=0, s2c=quote.QotSubS2C()),
            ProtoId.QOT_GET_TOP_TEN_BUY_SELL_BROKERS: lambda _: top_ten(),
        }
        self._rsa = rsa
        self._server: asyncio.Server | None = None

    @property
    def open_connections(self) -> list[Connection]:
        """Those the client has not closed."""
        return [connection for connection in self.connections if not connection.is_closed]

    def settings(self, **changes: Any) -> GatewaySettings:
        """Settings to reach this gateway with, quick to reconnect."""
        values: dict[str, Any] = {"reconnect_first_s": 0.001, "reconnect_max_s": 0.01, "port": self.port}
        return GatewaySettings(**values | changes)

    def received(self, proto_id: ProtoId) -> list[Call]:
        """The calls of one kind so far."""
        return [call for call in self.calls if call.proto_id is proto_id]

    async def start(self) -> None:
        """Listen, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no longer and close every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in self.open_connections:
            connection.close()
        await until(lambda: not self.open_connections)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(writer, self._rsa or PlainCipher())
        self.connections.append(connection)
        try:
            while data := await reader.read(1 << 16):
                for frame in connection.decoder.receive_data(data):
                    self._receive(connection, frame)
        except ConnectionResetError:
            connection.was_reset = True
        except FramingError:
            pass  # as a gateway that cannot read a message: it says nothing and closes
        finally:
            writer.close()
            connection.is_closed = True

    def _receive(self, connection: Connection, frame: Frame) -> None:
        request = parse_request(frame.proto_id, open_frame(frame, connection.cipher))
        call = Call(connection, ProtoId(frame.proto_id), frame.serial_no, request)
        self.calls.append(call)
        script = self.scripts[call.proto_id]
        if call.proto_id is ProtoId.INIT_CONNECT and self.openings:
            script = self.openings.popleft()
        if (answer := script(call)) is not None:
            call.reply(answer)
            if call.proto_id is ProtoId.INIT_CONNECT:
                connection.cipher = packet_cipher(PacketEncAlgo(call.request.c2s.packet_enc_algo), AES_KEY, AES_IV)


def accepted(keep_alive_interval_s: int = 10) -> session.InitConnectResponse:
    """InitConnect accepted."""
    return session.InitConnectResponse(
        ret_type=0,
        s2c=session.InitConnectS2C(
            server_ver=1011,
            login_user_id=1,
            conn_id=7,
            conn_aes_key=AES_KEY,
            keep_alive_interval=keep_alive_interval_s,
            aes_cbc_iv=AES_IV,
        ),
    )


def refused() -> session.InitConnectResponse:
    """InitConnect refused by a gateway that waits for somebody to log in."""
    return session.InitConnectResponse(ret_type=-1, ret_msg="请输入手机验证码")


def silent(_: Call) -> None:
    """No answer."""


def global_state(*, is_logined: bool = True, program_status: int = 10) -> session.GetGlobalStateResponse:
    """What a gateway says of itself."""
    s2c = session.GetGlobalStateS2C(
        market_hk=3,
        market_us=6,
        market_sh=6,
        market_sz=6,
        market_hk_future=6,
        qot_logined=is_logined,
        trd_logined=True,
        server_ver=1011,
        server_build_no=7108,
        time=NOW_S,
    )
    s2c.program_status.type = program_status
    return session.GetGlobalStateResponse(ret_type=0, s2c=s2c)


def top_ten(*names: str, data_time: int = NOW_S) -> quote.QotGetTopTenBuySellBrokersResponse:
    """A real-time table of buyers."""
    brokers = [
        quote.BrokerItem(
            net_vol=1000 - i,
            broker_name=name,
            buy_sell_type=quote.BUY_SELL_TYPE_NET_BUY,
            avg_price=466.1,
            total_vol=2000.0,
            total_turnover=932200.0,
        )
        for i, name in enumerate(names)
    ]
    s2c = quote.QotGetTopTenBuySellBrokersS2C(is_real_time=True, data_time=data_time, broker_list=brokers)
    return quote.QotGetTopTenBuySellBrokersResponse(ret_type=0, s2c=s2c)


def basic_quotes(*volumes: tuple[str, int]) -> quote.QotUpdateBasicQotResponse:
    """The push of several codes' running volumes."""
    prices = ("price_spread", "high_price", "open_price", "low_price", "last_close_price", "turnover_rate", "amplitude")
    push = quote.QotUpdateBasicQotResponse(ret_type=0, s2c=quote.QotUpdateBasicQotS2C())
    for code, volume in volumes:
        qot = push.s2c.basic_qot_list.add(
            security=to_security(code), is_suspended=False, list_time="", update_time="", cur_price=466.0
        )
        qot.volume, qot.turnover = volume, 466.0 * volume
        for name in prices:
            setattr(qot, name, 1.0)
    return push


def connect_status(*, is_logined: bool) -> session.NotifyResponse:
    """The push that tells of the gateway's own backend."""
    status = session.ConnectStatus(qot_logined=is_logined, trd_logined=True)
    return session.NotifyResponse(ret_type=0, s2c=session.NotifyS2C(type=3, connect_status=status))


def framed(proto_id: int, serial_no: int, message: Message) -> bytes:
    """A message as it travels unencrypted."""
    return encode_frame(proto_id, serial_no, message.SerializeToString(), PlainCipher())


def kicked_out() -> session.NotifyResponse:
    """The push that tells of a login elsewhere."""
    event = session.GatewayEvent(event_type=7, desc="账号在别处登录")
    return session.NotifyResponse(ret_type=0, s2c=session.NotifyS2C(type=1, event=event))


def open_sockets() -> int:
    """How many sockets this process holds."""
    count = 0
    for fd in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(Path("/proc/self/fd") / fd).startswith("socket:")
        except FileNotFoundError:
            continue
    return count
