"""A gateway without sockets: the same rules and the same misbehaviour, for tests in virtual time."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from brokertape.gateway.errors import LinkLost, NotConnected, RequestTimeout
from brokertape.gateway.messages import ProtoId
from brokertape.gateway.requests import check_count
from brokertape.gateway.values import GlobalState, SecuritySnapshot, StaticInfo, TopTenBrokers, TradeDate
from brokertape.simulator.given_answer import GivenAnswer
from brokertape.simulator.handshake import FIRST_LOGIN_USER_ID
from brokertape.simulator.instruments import Instrument
from brokertape.simulator.market import Market, Quote
from brokertape.simulator.misbehaviour import Fate, Misbehaviour
from brokertape.simulator.rules import SERVER_VER, GatewayRules, Limits
from brokertape.simulator.texts import Language

T = TypeVar("T")


class InMemoryGateway:
    """A `Gateway` over a market. `now_s` is the one clock: of the market, of the limits and of `misbehaviour`.

    Latency and lost replies take their time by `asyncio.sleep`; a lost reply is a RequestTimeout after
    `request_timeout_s`, a cut one a LinkLost, and the session goes on.
    """

    def __init__(
        self,
        market: Market,
        now_s: Callable[[], float],
        *,
        misbehaviour: Misbehaviour | None = None,
        limits: Limits | None = None,
        language: Language = Language.CHINESE,
        request_timeout_s: float = 5.0,
        login_user_id: int = FIRST_LOGIN_USER_ID,
    ) -> None:
        self.login_user_id = login_user_id
        self.misbehaviour = misbehaviour or Misbehaviour()
        self.answers: list[GivenAnswer] = []  # every one ever given: for runs of bounded length
        self.rules = GatewayRules(
            market, now_s, misbehaviour=self.misbehaviour, limits=limits or Limits(), language=language
        )
        self._now_s = now_s
        self._request_timeout_s = request_timeout_s
        self._sessions = 1
        self._is_connected = True

    @property
    def is_connected(self) -> bool:
        """Whether there is a session now."""
        return self._is_connected

    def disconnect(self) -> None:
        """End the session: what is under way is lost, and every call fails until `connect`."""
        self._is_connected = False

    def connect(self) -> None:
        """Open a new session."""
        self._sessions += not self._is_connected
        self._is_connected = True

    async def top_ten_brokers(self, code: str, days_before: int = 0) -> TopTenBrokers:
        """The table of `code` now, or of the n-th previous trading day."""
        proto_id = ProtoId.QOT_GET_TOP_TEN_BUY_SELL_BROKERS
        answer = await self._round_trip(proto_id, lambda: self._answer_top_ten(code, days_before))
        return answer.reply.table_or_raise()

    async def global_state(self) -> GlobalState:
        """Market state, login and clock."""
        return await self._round_trip(ProtoId.GET_GLOBAL_STATE, self._global_state)

    async def static_info(self, codes: Sequence[str]) -> list[StaticInfo]:
        """What is fixed about up to MAX_CODES codes; one unknown code refuses them all."""
        check_count(codes)
        instruments = await self._round_trip(ProtoId.QOT_GET_STATIC_INFO, lambda: self.rules.static_info(codes))
        return [_static_info(instrument) for instrument in instruments]

    async def market_snapshot(self, codes: Sequence[str]) -> list[SecuritySnapshot]:
        """Running totals of up to MAX_CODES codes; one unknown code refuses them all."""
        check_count(codes)
        quotes = await self._round_trip(
            ProtoId.QOT_GET_SECURITY_SNAPSHOT, lambda: self.rules.quotes(codes, self._now_s())
        )
        return [_security_snapshot(quote, self.rules.instrument(quote.code)) for quote in quotes]

    async def trade_dates(self, begin: str, end: str) -> list[TradeDate]:
        """The trading days from `begin` to `end` (`YYYY-MM-DD`, both included)."""
        return await self._round_trip(ProtoId.QOT_REQUEST_TRADE_DATE, lambda: self.rules.trade_dates(begin, end))

    async def _round_trip(self, proto_id: ProtoId, answer: Callable[[], T]) -> T:
        if not self._is_connected:
            raise NotConnected("no session with the simulated gateway")
        session = self._sessions
        await asyncio.sleep(self.misbehaviour.delay_s())
        self._check_session(session)
        try:
            return answer()
        finally:  # a refusal takes the same way back
            await self._travel_back(self.misbehaviour.next_fate(proto_id))
            self._check_session(session)

    async def _travel_back(self, fate: Fate) -> None:
        if fate is Fate.DROPPED:
            await asyncio.sleep(self._request_timeout_s)
            raise RequestTimeout(f"no reply within {self._request_timeout_s:g} s")
        await asyncio.sleep(self.misbehaviour.delay_s())
        if fate is Fate.CUT:
            raise LinkLost("the link broke in the middle of a reply")

    def _check_session(self, session: int) -> None:
        if not self._is_connected or session != self._sessions:
            raise LinkLost("the link broke")

    def _answer_top_ten(self, code: str, days_before: int) -> GivenAnswer:
        now_s = self._now_s()
        now_ms = int(now_s * 1000)
        reply = self.rules.top_ten(code, days_before, now_s)
        self.answers.append(GivenAnswer(now_ms, now_ms, str(self._sessions), code, days_before, reply))
        return self.answers[-1]

    def _global_state(self) -> GlobalState:
        return GlobalState(
            market_hk=self.rules.market_state(),
            qot_logined=self.misbehaviour.is_logged_in,
            program_status=self.misbehaviour.program_status,
            program_status_desc="",
            server_ver=SERVER_VER,
            time_s=int(self._now_s()),
        )


def _static_info(instrument: Instrument) -> StaticInfo:
    return StaticInfo(
        code=instrument.code,
        name=instrument.name,
        lot_size=instrument.lot_size,
        sec_type=instrument.sec_type,
        is_delisted=instrument.is_delisted,
    )


def _security_snapshot(quote: Quote, instrument: Instrument) -> SecuritySnapshot:
    return SecuritySnapshot(
        code=quote.code,
        name=instrument.name,
        lot_size=instrument.lot_size,
        cur_price=quote.cur_price,
        volume=quote.volume,
        turnover=quote.turnover,
        is_suspended=quote.is_suspended,
        sec_status=quote.sec_status,
        update_timestamp=quote.updated_s,
    )
