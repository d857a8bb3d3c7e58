"""One client's connection to the simulated gateway: its socket, its session, its two lanes."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import time

from google.protobuf.message import Message

from brokertape.gateway.encryption import RsaCipher
from brokertape.gateway.errors import FramingError
from brokertape.gateway.framing import Frame, FrameDecoder, encode_frame, open_frame
from brokertape.gateway.messages import ProtoId
from brokertape.simulator.dispatcher import Dispatcher, TopTenGiven
from brokertape.simulator.given_answer import AnswerLog, GivenAnswer
from brokertape.simulator.handshake import Handshake, accept, read_request, refuse
from brokertape.simulator.lane import Lane
from brokertape.simulator.misbehaviour import Fate, Misbehaviour

logger = logging.getLogger(__name__)

READ_BYTES = 64 << 10
MAX_REQUEST_BODY_BYTES = 1 << 20
FLUSH_TIMEOUT_S = 1.0
PUSH_SERIAL_NO = 0


@dataclass(frozen=True, slots=True)
class Backend:
    """What all connections of a gateway share."""

    dispatcher: Dispatcher
    misbehaviour: Misbehaviour
    rsa: RsaCipher | None
    keep_alive_interval_s: int
    login_user_id: Callable[[], int]
    not_logged_in: str
    log: AnswerLog | None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Bytes on their way to the client; `given` is what a 3247 reply gives, received at `received_ms`."""

    data: bytes
    is_cut: bool = False
    given: TopTenGiven | None = None
    received_ms: int = 0


class Connection:
    """Three tasks: socket to inbound lane, requests to replies, outbound lane to socket. The first to end ends it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, backend: Backend) -> None:
        self.last_keep_alive_s = asyncio.get_running_loop().time()
        self._reader = reader
        self._writer = writer
        self._backend = backend
        self._session: Handshake | None = None
        self._inbound: Lane[Frame] = Lane(backend.misbehaviour.delay_s)
        self._outbound: Lane[Outgoing | None] = Lane(backend.misbehaviour.delay_s)

    @property
    def conn_id(self) -> int | None:
        """The session's id, None before InitConnect is accepted."""
        return self._session.conn_id if self._session else None

    @property
    def wants_notify(self) -> bool:
        """Whether the client asked to be told what happens to the gateway."""
        return self._session is not None and self._session.wants_notify

    async def run(self) -> None:
        """Serve the client until it leaves, is cut, or breaks the protocol."""
        tasks = [asyncio.create_task(work()) for work in (self._receive, self._serve, self._send)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                self._report(task.exception())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._close()

    def push(self, proto_id: ProtoId, message: Message) -> bool:
        """Send something unasked; False when the client reads too slowly, and then it is not sent."""
        assert self._session is not None
        data = encode_frame(proto_id, PUSH_SERIAL_NO, message.SerializeToString(), self._session.session_cipher)
        return self._outbound.put_nowait(Outgoing(data))

    def close_after_sending(self) -> None:
        """End the connection once everything on its way is sent."""
        if not self._outbound.put_nowait(None):
            self.abort()

    def abort(self) -> None:
        """End the connection at once."""
        self._writer.transport.abort()

    async def _receive(self) -> None:
        decoder = FrameDecoder(MAX_REQUEST_BODY_BYTES)
        while data := await self._reader.read(READ_BYTES):
            for frame in decoder.receive_data(data):
                await self._inbound.put(frame)

    async def _serve(self) -> None:
        while True:
            frame = await self._inbound.get()
            if self._session is None:
                await self._open(frame)
            else:
                await self._respond(self._session, frame)

    async def _open(self, frame: Frame) -> None:
        backend = self._backend
        request = read_request(frame, backend.rsa)
        if backend.misbehaviour.refuses_login(asyncio.get_running_loop().time()):
            handshake = refuse(request, backend.rsa, backend.not_logged_in)
        else:
            handshake = accept(request, backend.rsa, backend.keep_alive_interval_s, backend.login_user_id())
        body = handshake.reply.SerializeToString()
        await self._outbound.put(Outgoing(encode_frame(frame.proto_id, frame.serial_no, body, handshake.reply_cipher)))
        if handshake.conn_id is not None:
            self._session = handshake

    async def _respond(self, session: Handshake, frame: Frame) -> None:
        received_s, received_ms = asyncio.get_running_loop().time(), _now_ms()
        plain_body = open_frame(frame, session.session_cipher)
        if frame.proto_id == ProtoId.KEEP_ALIVE:
            self.last_keep_alive_s = received_s
        assert session.conn_id is not None
        response = self._backend.dispatcher.respond(session.conn_id, received_s, frame.proto_id, plain_body)
        fate = self._backend.misbehaviour.next_fate(frame.proto_id)
        if fate is Fate.DROPPED:
            return
        body = response.message.SerializeToString()
        data = encode_frame(frame.proto_id, frame.serial_no, body, session.session_cipher)
        await self._outbound.put(Outgoing(data, fate is Fate.CUT, response.top_ten, received_ms))

    async def _send(self) -> None:
        while (outgoing := await self._outbound.get()) is not None:
            if outgoing.is_cut:
                self._writer.write(outgoing.data[: len(outgoing.data) // 2])
                return
            self._writer.write(outgoing.data)
            self._log(outgoing)
            await self._writer.drain()

    def _log(self, outgoing: Outgoing) -> None:
        given, log = outgoing.given, self._backend.log
        if given is None or log is None:
            return
        connection = str(self.conn_id)
        log.write(GivenAnswer(outgoing.received_ms, _now_ms(), connection, given.code, given.days_before, given.reply))

    def _report(self, error: BaseException | None) -> None:
        if isinstance(error, FramingError):
            logger.warning("connection %s closed: %s", self.conn_id, error)
        elif error is not None and not isinstance(error, ConnectionError):
            # The client sees a lost link and comes again; the gateway goes on for the others.
            logger.error("connection %s failed", self.conn_id, exc_info=error)

    async def _close(self) -> None:
        self._writer.close()
        try:
            with contextlib.suppress(ConnectionError):
                await asyncio.wait_for(self._writer.wait_closed(), FLUSH_TIMEOUT_S)
        except TimeoutError:
            self.abort()


def _now_ms() -> int:
    return int(time() * 1000)
