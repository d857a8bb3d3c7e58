"""The simulated gateway on a TCP port."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self
from zlib import crc32

from google.protobuf.message import Message

from brokertape.gateway.encryption import RsaCipher
from brokertape.gateway.errors import InvalidSettings
from brokertape.gateway.messages import ProtoId
from brokertape.gateway.values import PROGRAM_READY
from brokertape.simulator import notices, replies
from brokertape.simulator.clock import MarketClock, begin_s
from brokertape.simulator.connection import FLUSH_TIMEOUT_S, Backend, Connection
from brokertape.simulator.dispatcher import Dispatcher
from brokertape.simulator.given_answer import AnswerLog
from brokertape.simulator.handshake import FIRST_LOGIN_USER_ID
from brokertape.simulator.market import Market
from brokertape.simulator.market_model import MarketModel
from brokertape.simulator.rules import GatewayRules
from brokertape.simulator.settings import SimulatorSettings
from brokertape.simulator.subscriptions import Subscriptions

logger = logging.getLogger(__name__)

TEND_EVERY_S = 0.1


class GatewayServer:
    """The gateway of `settings`, over its model market or the one given. Made in a running loop; `async with` runs it.

    `misbehaviour` and the methods may be used at any time while it runs; its clock is `now_s`.
    """

    def __init__(self, settings: SimulatorSettings, market: Market | None = None) -> None:
        self._settings = settings
        begins_s = begin_s(settings.start, settings.calendar, time.time())
        self.market: Market = market or MarketModel(settings.market(begins_s), begins_s)
        self.misbehaviour = settings.misbehaviour(self.now_s)
        self.rules = GatewayRules(
            self.market,
            MarketClock(begins_s, settings.speed).now_s,
            misbehaviour=self.misbehaviour,
            limits=settings.limits,
            language=settings.language,
        )
        self.subscriptions = Subscriptions(settings.subscription_quota, self.rules.texts)
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._listener: asyncio.Server | None = None
        self._tender: asyncio.Task[None] | None = None
        self._log: AnswerLog | None = None
        self._port = settings.port  # the one asked for, then the one got: a restart keeps it
        self._backend: Backend | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def login_user_id(self) -> int:
        """Whose account it is logged in to: that of the settings, else one of its own, by its host and port."""
        own = FIRST_LOGIN_USER_ID + crc32(f"{socket.gethostname()}:{self._port}".encode())
        return self._settings.login_user_id or own

    @property
    def now_s(self) -> float:
        """The clock of its limits and its misbehaviour."""
        return asyncio.get_running_loop().time()

    @property
    def connection_count(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    @property
    def session_count(self) -> int:
        """How many of them were let in."""
        return sum(connection.conn_id is not None for connection in self._connections.values())

    async def __aenter__(self) -> Self:
        settings = self._settings
        self._log = _open_log(settings.log_file) if settings.log_file else None
        self._backend = Backend(
            dispatcher=Dispatcher(self.rules, self.subscriptions),
            misbehaviour=self.misbehaviour,
            rsa=RsaCipher.from_file(settings.rsa_key_file) if settings.rsa_key_file else None,
            keep_alive_interval_s=settings.keep_alive_interval_s,
            login_user_id=lambda: self.login_user_id,
            not_logged_in=self.rules.texts.not_logged_in,
            log=self._log,
        )
        try:
            await self._listen()
        except InvalidSettings:
            self._close_log()
            raise
        self._tender = asyncio.create_task(self._tend())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop_listening()
        if self._tender is not None:
            self._tender.cancel()
            await asyncio.gather(self._tender, return_exceptions=True)
        await self._drop_connections()
        self._close_log()

    async def restart(self, down_s: float = 0.0) -> None:
        """Drop every connection and refuse new ones for a while, as when the program is started anew.

        Limits go on counting: whether the real ones are the program's or the account's is not known.
        """
        self._stop_listening()
        await self._drop_connections()
        await asyncio.sleep(down_s)
        await self._listen()

    async def kick_out(self) -> None:
        """The account logs in elsewhere: tell everybody, log out, and drop every connection; `log_in` ends it."""
        self.misbehaviour.is_logged_in = False
        self.misbehaviour.program_status = notices.FORCED_LOGOUT
        self._notify(notices.kicked_out(self.rules.texts.logged_out_by_force))
        self._notify(notices.program_status(notices.FORCED_LOGOUT))
        for connection in self._connections.values():
            connection.close_after_sending()
        if self._connections:
            await asyncio.wait(self._connections, timeout=FLUSH_TIMEOUT_S)
        await self._drop_connections()  # who does not read what it is told is dropped all the same

    def log_out(self) -> None:
        """Lose the link to the backend: quote requests fail until `log_in`, the connections stay."""
        self.misbehaviour.is_logged_in = False
        self._notify(notices.connection_status(is_logged_in=False))

    def log_in(self) -> None:
        """Be ready again."""
        self.misbehaviour.is_logged_in = True
        self.misbehaviour.program_status = PROGRAM_READY
        self._notify(notices.connection_status(is_logged_in=True))
        self._notify(notices.program_status(PROGRAM_READY))

    async def _listen(self) -> None:
        try:
            self._listener = await asyncio.start_server(self._accept, self._settings.host, self._port)
        except OSError as error:
            raise InvalidSettings(f"cannot listen on {self._settings.host}:{self._port}: {error.strerror}") from error
        self._port = self._listener.sockets[0].getsockname()[1]

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()

    async def _drop_connections(self) -> None:
        for connection in self._connections.values():
            connection.abort()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _close_log(self) -> None:
        if self._log is not None:
            self._log.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._backend is not None
        assert self._listener is not None
        is_full = len(self._connections) >= self._settings.max_connections
        if is_full or not self._listener.is_serving():  # what one too many sees of a real gateway is not known
            writer.transport.abort()
            return
        connection = Connection(reader, writer, self._backend)
        task = asyncio.create_task(connection.run())
        self._connections[task] = connection
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        connection = self._connections.pop(task)
        if connection.conn_id is not None:
            self.subscriptions.leave(connection.conn_id)

    def _notify(self, message: Message) -> None:
        for connection in self._connections.values():
            if connection.wants_notify:
                connection.push(ProtoId.NOTIFY, message)

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(TEND_EVERY_S)
            try:
                self._cut_silent_connections()
                self._push_quotes()
                self.subscriptions.expire(self.now_s)
            except Exception:  # one bad turn must not end the pushes of all; the next comes in a moment
                logger.exception("tending the connections failed")

    def _cut_silent_connections(self) -> None:
        for connection in self._connections.values():
            if self.now_s - connection.last_keep_alive_s > self._settings.keep_alive_timeout_s:
                logger.info("connection %s sent no KeepAlive: cut", connection.conn_id)
                connection.abort()

    def _push_quotes(self) -> None:
        self.rules.advance()
        for connection in self._connections.values():
            if connection.conn_id is None:
                continue
            quotes = self.subscriptions.due_quotes(connection.conn_id, self.market.quote)
            if not quotes:
                continue
            # What a slow reader is not pushed now stays due.
            if connection.push(ProtoId.QOT_UPDATE_BASIC_QOT, replies.basic_qots(quotes, self.rules.instrument)):
                self.subscriptions.note_pushed(connection.conn_id, quotes)


async def serve(
    settings: SimulatorSettings, stop: asyncio.Event, ready: Callable[[GatewayServer], None] | None = None
) -> None:
    """Run a simulated gateway until `stop` is set; `ready` is called with it once it listens.

    Raises:
        InvalidSettings: It cannot listen, or not open its log.
    """
    async with GatewayServer(settings) as server:
        if ready is not None:
            ready(server)
        await stop.wait()


def _open_log(path: Path) -> AnswerLog:
    try:
        return AnswerLog(path)
    except OSError as error:
        raise InvalidSettings(f"log file {path}: {error.strerror}") from error
