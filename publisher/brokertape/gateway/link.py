"""A session that is opened again whenever it ends."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from enum import StrEnum
from typing import Any, NoReturn

from google.protobuf.message import Message

from brokertape.gateway.backoff import reconnect_delays, should_reconnect
from brokertape.gateway.counters import GatewayCounters
from brokertape.gateway.encryption import RsaCipher
from brokertape.gateway.errors import InitRefused, NotAdmitted, NotConnected
from brokertape.gateway.exchange import Push
from brokertape.gateway.messages import ProtoId
from brokertape.gateway.opening import Opening
from brokertape.gateway.session import Session, open_session
from brokertape.gateway.settings import GatewaySettings

logger = logging.getLogger(__name__)


class LinkState(StrEnum):
    """How we stand with the gateway. REFUSED and LOST are being tried again all the while."""

    CONNECTING = "connecting"  # from the start until the first attempt has an outcome
    CONNECTED = "connected"
    REFUSED = "refused"  # it answers and does not let us in
    LOST = "lost"  # no connection
    CLOSED = "closed"  # for good


class GatewayLink:
    """Keeps a session with the gateway for as long as `run` runs.

    `on_state` is called when the state or its reason changes, `on_push` for every push; `on_session` runs as a task
    beside every session and is cancelled when that is lost. What they raise ends `run`, unless it is an error of
    the gateway.

    Raises:
        KeyFileError: On construction, when the RSA key file cannot be used.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        on_state: Callable[[LinkState, str], None],
        on_push: Callable[[Push], None],
        on_session: Callable[[], Coroutine[None, None, None]],
    ) -> None:
        self.settings = settings
        self.counters = GatewayCounters()
        rsa = RsaCipher.from_file(settings.rsa_key_file) if settings.rsa_key_file else None
        self._opening = Opening(settings.client_id, settings.encryption, rsa)
        self._on_state = on_state
        self._on_push = on_push
        self._on_session = on_session
        self._state = LinkState.CONNECTING
        self._reason = "not started"
        self._changed = asyncio.Event()  # set, and replaced by a new one, with every change of state
        self._session: Session | None = None
        self._login_user_id = 0
        self._delays = self.new_delays()
        self._is_started = False

    @property
    def state(self) -> LinkState:
        """How we stand with the gateway."""
        return self._state

    @property
    def reason(self) -> str:
        """Why, in one line."""
        return self._reason

    @property
    def is_connected(self) -> bool:
        """Whether there is a session now."""
        return self._session is not None and self._session.is_open

    @property
    def login_user_id(self) -> int:
        """Whose account the gateway of the last session was logged in to; 0 if that is not known."""
        return self._login_user_id

    async def run(self) -> NoReturn:
        """Keep a session until cancelled; once per link. What it raises is an error of this side, as a callback's."""
        if self._is_started:
            raise RuntimeError("a link runs once")
        self._is_started = True
        reason = "stopped"
        try:
            self._become(LinkState.CONNECTING, f"connecting to {self.settings.address}")
            await self._keep_session()
        except Exception as error:
            reason = f"stopped by an error: {error!r}"
            logger.error("gateway client %s", reason)  # its traceback goes to whoever awaits `run`
            raise
        finally:
            self._become(LinkState.CLOSED, reason)

    async def wait_connected(self, timeout_s: float | None = None) -> None:
        """Return once there is a session.

        Raises:
            NotConnected: There is none after `timeout_s`, or there never will be.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not self.is_connected:
                    if self._state is LinkState.CLOSED:
                        raise self._not_connected()
                    await self._changed.wait()
        except TimeoutError:
            raise self._not_connected() from None

    async def ask(self, proto_id: ProtoId, request: Message) -> Message:
        """The reply to `request`; raises as `Session.ask` does, and at once when there is no session."""
        if self._session is None:
            raise self._not_connected()
        return await self._session.ask(proto_id, request)

    async def _keep_session(self) -> NoReturn:
        while True:
            try:
                await self._hold_session()
            except Exception as error:
                if not should_reconnect(error):
                    raise
                delay_s = next(self._delays)
                self._note_failure(error, delay_s)
            await asyncio.sleep(delay_s)

    async def _hold_session(self) -> NoReturn:
        async with open_session(self.settings, self._opening, self.counters, self._on_push) as session:
            self._session, self._login_user_id = session, session.login_user_id
            self._delays = self.new_delays()
            self.counters.sessions += 1
            logger.info("connected to gateway %s", self.settings.address)
            try:
                self._become(LinkState.CONNECTED, f"connected to {self.settings.address}")
                await self._serve(session)
            except Exception:
                self.counters.losses += 1
                raise
            finally:
                self._session = None

    async def _serve(self, session: Session) -> NoReturn:
        """Run `on_session` beside the session; raises what ended either."""
        service = asyncio.create_task(self._on_session(), name="gateway session")
        either: list[asyncio.Future[Any]] = [service, session.lost]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not session.lost.done():
                service.result()  # raises, if it did not just finish
                await asyncio.wait([session.lost])
            raise session.lost.result()
        finally:
            service.cancel()
            await asyncio.wait([service])
            if not service.cancelled():
                service.exception()  # seen: with the session lost, it only says so again

    def _note_failure(self, error: Exception, delay_s: float) -> None:
        state = LinkState.REFUSED if isinstance(error, InitRefused) else LinkState.LOST
        # The same failure again, hours on end, is no news.
        level = logging.DEBUG if (state, str(error)) == (self._state, self._reason) else logging.WARNING
        logger.log(level, "gateway %s %s, next attempt in %.1f s: %s", self.settings.address, state, delay_s, error)
        self._become(state, str(error))

    def _become(self, state: LinkState, reason: str) -> None:
        if (state, reason) == (self._state, self._reason):
            return
        self._state, self._reason = state, reason
        self._changed.set()
        self._changed = asyncio.Event()
        self._on_state(state, reason)

    def new_delays(self) -> Iterator[float]:
        """Seconds between attempts, from the shortest."""
        return reconnect_delays(self.settings.reconnect_first_s, self.settings.reconnect_max_s)

    def _not_connected(self) -> NotConnected:
        error = NotAdmitted if self._state is LinkState.REFUSED else NotConnected
        return error(f"no session with the gateway: {self._reason}")
