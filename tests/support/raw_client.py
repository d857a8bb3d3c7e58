"""A client of the gateway's protocol with nothing of our client's logic in it: frames in, frames out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from google.protobuf.message import Message

from brokertape.gateway.encryption import Cipher, PacketEncAlgo, PlainCipher, RsaCipher, packet_cipher
from brokertape.gateway.framing import Frame, FrameDecoder, encode_frame, open_frame
from brokertape.gateway.messages import PUSHES, ProtoId, parse_response
from brokertape.gateway_pb.v1 import quote_pb2 as quote
from brokertape.gateway_pb.v1 import session_pb2 as session
from brokertape.gateway_pb.v1.common_pb2 import Security

TIMEOUT_S = 10.0


class RawClient:
    """One connection. `opened` is the accepted InitConnect reply; pushes are kept in `pushes`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.cipher: Cipher = PlainCipher()
        self.opened: session.InitConnectS2C | None = None
        self.pushes: list[tuple[int, Any]] = []
        self.pushed_serial_nos: list[int] = []
        self._decoder = FrameDecoder()
        self._frames: list[Frame] = []
        self._reader = reader
        self._writer = writer
        self._serial_no = 0

    async def open(
        self, algorithm: PacketEncAlgo | None = PacketEncAlgo.NONE, rsa: RsaCipher | None = None, **c2s: Any
    ) -> Any:
        """InitConnect, asking for `algorithm`; None leaves the field out. Gives the reply."""
        fields: dict[str, Any] = {"client_ver": 300, "client_id": "raw", "recv_notify": True} | c2s
        request = session.InitConnectRequest(c2s=session.InitConnectC2S(**fields))
        if algorithm is not None:
            request.c2s.packet_enc_algo = algorithm
        self.cipher = rsa or PlainCipher()
        await self.send(ProtoId.INIT_CONNECT, request)
        if algorithm is PacketEncAlgo.NONE:
            self.cipher = PlainCipher()
        reply = await self.reply(ProtoId.INIT_CONNECT)
        if reply.ret_type == 0:
            self.opened = reply.s2c
            asked = PacketEncAlgo.FTAES_ECB if algorithm is None else algorithm
            asked = asked if rsa else PacketEncAlgo.NONE
            self.cipher = packet_cipher(asked, reply.s2c.conn_aes_key, reply.s2c.aes_cbc_iv)
        return reply

    async def ask(self, proto_id: ProtoId, request: Message) -> Any:
        """The reply to a request; pushes that come before it are kept."""
        await self.send(proto_id, request)
        return await self.reply(proto_id)

    async def top_ten(self, code: str = "00700", market: int = 1, days_before: int | None = None) -> Any:
        """The reply to a 3247 request."""
        return await self.ask(ProtoId.QOT_GET_TOP_TEN_BUY_SELL_BROKERS, top_ten_request(code, market, days_before))

    async def keep_alive(self) -> Any:
        """The reply to a KeepAlive."""
        return await self.ask(ProtoId.KEEP_ALIVE, session.KeepAliveRequest(c2s=session.KeepAliveC2S(time=1)))

    async def global_state(self) -> Any:
        """The reply to GetGlobalState."""
        request = session.GetGlobalStateRequest(c2s=session.GetGlobalStateC2S(user_id=0))
        return await self.ask(ProtoId.GET_GLOBAL_STATE, request)

    async def subscribe(self, *codes: str, is_sub: bool = True, **c2s: Any) -> Any:
        """The reply to a 3001 request for basic quotes, with pushes."""
        fields: dict[str, Any] = {"is_reg_or_un_reg_push": is_sub, "sub_type_list": [1]} | c2s
        securities = [Security(market=1, code=code) for code in codes]
        request = quote.QotSubC2S(security_list=securities, is_sub_or_un_sub=is_sub, **fields)
        return await self.ask(ProtoId.QOT_SUB, quote.QotSubRequest(c2s=request))

    async def send(self, proto_id: int, request: Message) -> int:
        """Send a request; its serial number."""
        self._serial_no += 1
        self.send_bytes(encode_frame(proto_id, self._serial_no, request.SerializeToString(), self.cipher))
        await self._writer.drain()
        return self._serial_no

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)

    async def reply(self, proto_id: ProtoId) -> Any:
        """The next frame that is no push: it has to answer the last request."""
        frame = await self.frame()
        while frame.proto_id in PUSHES:
            self._keep(frame)
            frame = await self.frame()
        assert frame.serial_no == self._serial_no
        return parse_response(proto_id, open_frame(frame, self.cipher))

    async def push(self, proto_id: ProtoId) -> Any:
        """The next push of a kind, kept ones first."""
        while not any(kept == proto_id for kept, _ in self.pushes):
            self._keep(await self.frame())
        index = [kept for kept, _ in self.pushes].index(proto_id)
        return self.pushes.pop(index)[1]

    async def frame(self) -> Frame:
        """The next frame.

        Raises:
            EOFError: The gateway closed the connection instead.
        """
        while not self._frames:
            async with asyncio.timeout(TIMEOUT_S):
                data = await self._read()
            if not data:
                raise EOFError("closed in mid-frame" if self._decoder.is_mid_frame else "closed")
            self._frames += self._decoder.receive_data(data)
        return self._frames.pop(0)

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(1 << 16)
        except ConnectionError:
            return b""

    def _keep(self, frame: Frame) -> None:
        self.pushed_serial_nos.append(frame.serial_no)
        self.pushes.append((frame.proto_id, parse_response(frame.proto_id, open_frame(frame, self.cipher))))


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[RawClient]:
    """A client that has connected and said nothing."""
    client = RawClient(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def opened(port: int, **opening: Any) -> AsyncIterator[RawClient]:
    """A client whose InitConnect was accepted."""
    async with connected(port) as client:
        assert (await client.open(**opening)).ret_type == 0
        yield client


def top_ten_request(
    code: str = "00700", market: int = 1, days_before: int | None = None
) -> quote.QotGetTopTenBuySellBrokersRequest:
    """A 3247 request."""
    c2s = quote.QotGetTopTenBuySellBrokersC2S(security=Security(market=market, code=code), days_before=days_before)
    return quote.QotGetTopTenBuySellBrokersRequest(c2s=c2s)
