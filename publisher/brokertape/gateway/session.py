"""One connection to the gateway, from connecting to its close: the only place that touches the network.

A session owns a transport and one timer, no task: bytes and times go to the `Exchange`, what comes out of it goes
to whoever waits. Whatever breaks it, everything in flight fails at once and the socket is closed.
"""

import asyncio
import os
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from google.protobuf.message import Message

from brokertape.gateway.counters import GatewayCounters
from brokertape.gateway.errors import ConnectFailed, GatewayError, LinkLost, NotConnected, RequestTimeout
from brokertape.gateway.exchange import Event, Exchange, Opened, Push, Reply
from brokertape.gateway.messages import ProtoId
from brokertape.gateway.opening import Opening
from brokertape.gateway.settings import GatewaySettings

_NO_LINGER = struct.pack("ii", 1, 0)


@asynccontextmanager
async def open_session(
    settings: GatewaySettings, opening: Opening, counters: GatewayCounters, on_push: Callable[[Push], None]
) -> AsyncIterator["Session"]:
    """A session that is open inside the block and closed after it.

    Raises:
        ConnectFailed: No connection comes about within the connect timeout.
        InitRefused: The gateway does not let us in.
        RequestTimeout: InitConnect is not answered.
        LinkLost: The connection breaks before it is.
        FramingError: Whoever answers is no gateway.
    """
    session = Session(settings, Exchange(opening, settings.request_timeout_s, counters), on_push)
    try:
        await session.connect()
        yield session
    finally:
        await session.aclose()


class Session(asyncio.Protocol):
    """A conversation with the gateway; `open_session` makes and closes it.

    `on_push` is called from the event loop for every push and has to be quick. What it raises ends the session.
    """

    def __init__(self, settings: GatewaySettings, exchange: Exchange, on_push: Callable[[Push], None]) -> None:
        self._settings = settings
        self._exchange = exchange
        self._on_push = on_push
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        # Outcomes are values, not exceptions: nobody need be there to take them.
        self._waiters: dict[int, asyncio.Future[Message | GatewayError]] = {}
        self._opened: asyncio.Future[Exception | None] = self._loop.create_future()
        self._lost: asyncio.Future[Exception] = self._loop.create_future()
        self._closed = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether requests can be made."""
        return self._exchange.is_open and not self._lost.done()

    @property
    def login_user_id(self) -> int:
        """Whose account the gateway is logged in to; 0 if that is not known."""
        return self._exchange.login_user_id

    @property
    def lost(self) -> asyncio.Future[Exception]:
        """Done once the session has ended, with what ended it. For `asyncio.wait`; never fails."""
        return self._lost

    async def connect(self) -> None:
        """Connect and have InitConnect accepted; raises as `open_session` does."""
        await self._connect_tcp()
        self._write(self._exchange.open(self._loop.time()))
        if (error := await self._opened) is not None:
            raise error

    async def ask(self, proto_id: ProtoId, request: Message) -> Message:
        """The reply to `request`, whatever its retType.

        The request is on its way before this first waits. Cancelled, it leaves the request to its deadline.

        Raises:
            NotConnected: The session is over.
            TooManyInFlight: Too many requests wait already.
            RequestTimeout: No reply came in time. This ends the session.
            LinkLost: The session ended meanwhile.
        """
        if not self.is_open:
            raise NotConnected("the session with the gateway is over")
        serial_no, data = self._exchange.request(proto_id, request, self._loop.time())
        waiter = self._waiters[serial_no] = self._loop.create_future()
        try:
            self._write(data)
            outcome: Message | GatewayError = await waiter
        finally:
            del self._waiters[serial_no]
        if isinstance(outcome, GatewayError):
            raise outcome
        return outcome

    async def aclose(self) -> None:
        """End the session and wait until its socket is closed."""
        self._break(LinkLost("closed by this side"))
        if self._transport is not None:
            await self._closed.wait()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)  # a TCP connection's is
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand on what the bytes mean."""
        try:
            for event in self._exchange.receive_data(data, self._loop.time()):
                self._dispatch(event)
        except Exception as error:  # the gateway's or a callback's fault: `lost` tells, who waits for it decides
            self._break(error)
        else:
            self._set_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everyone who waits."""
        self._break(LinkLost(self._loss_reason(exc)))
        self._closed.set()

    # Inside.

    async def _connect_tcp(self) -> None:
        settings = self._settings
        try:
            async with asyncio.timeout(settings.connect_timeout_s):
                await self._loop.create_connection(lambda: self, settings.host, settings.port)
        except TimeoutError as error:
            raise ConnectFailed(f"{settings.address} does not answer") from error
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
            raise ConnectFailed(f"cannot connect to {settings.address}: {reason}") from error

    def _dispatch(self, event: Event) -> None:
        match event:
            case Opened():
                self._opened.set_result(None)
            case Push():
                self._on_push(event)
            case Reply(serial_no, message):
                waiter = self._waiters.get(serial_no)
                if waiter is not None and not waiter.done():
                    waiter.set_result(message)

    def _write(self, data: bytes) -> None:
        # Never waits: what is unsent is bounded by the requests that may be in flight.
        if self._transport is not None:
            self._transport.write(data)
        self._set_timer()

    def _set_timer(self) -> None:
        """Be called when the exchange is next due; an earlier call does no harm and is left in place."""
        due_at = self._exchange.due_at
        if self._lost.done() or (self._timer is not None and self._timer.when() <= due_at):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due_at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._loop.time()
        if overdue := self._exchange.expire(now):
            self._time_out(overdue)
        elif self._exchange.is_keep_alive_due(now):
            self._write(self._exchange.keep_alive(now, int(time.time())))
        else:
            self._set_timer()

    def _time_out(self, overdue: Mapping[int, ProtoId]) -> None:
        """End the session, so that no unanswered request is counted by the gateway later than its caller thinks."""
        names = ", ".join(sorted({proto_id.name for proto_id in overdue.values()}))
        self._discard_unsent()
        self._break(
            RequestTimeout(f"no reply to {names} within {self._settings.request_timeout_s:g} s"), frozenset(overdue)
        )

    def _discard_unsent(self) -> None:
        # Not only what asyncio holds: with no time to linger, the kernel drops what it has not sent either.
        if self._transport is not None:
            sock: socket.socket = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)

    def _break(self, error: Exception, overdue: frozenset[int] = frozenset()) -> None:
        """End the session for `error`; the first one counts."""
        if self._lost.done():
            return
        self._lost.set_result(error)
        if not self._opened.done():
            self._opened.set_result(error)
        for serial_no, waiter in self._waiters.items():
            if not waiter.done():
                waiter.set_result(_outcome(error, serial_no in overdue))
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()

    def _loss_reason(self, exc: Exception | None) -> str:
        if exc is not None and not isinstance(exc, ConnectionError):
            return f"connection lost: {exc}"
        if not self._exchange.is_open:
            return "the gateway closed the connection on InitConnect: it has too many, or only one side has an RSA key"
        where = " in the middle of a message" if self._exchange.is_mid_frame else ""
        return f"the gateway closed the connection{where}"


def _outcome(error: Exception, is_overdue: bool) -> GatewayError:
    """What a request in flight fails with; each gets its own exception, for each grows its own traceback."""
    outcome = RequestTimeout(str(error)) if is_overdue else LinkLost(f"the link was lost before the reply: {error}")
    outcome.__cause__ = error
    return outcome
