"""What the gateway answers and what it refuses, whichever way it was asked: in memory or over a socket."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from brokertape.gateway.errors import Refused
from brokertape.gateway.port import MAX_CODES
from brokertape.gateway.refusals import OK, refusal
from brokertape.gateway.values import MarketState, TopTenBrokers, TradeDate
from brokertape.simulator.instruments import Instrument
from brokertape.simulator.market import Market, Quote
from brokertape.simulator.misbehaviour import Misbehaviour
from brokertape.simulator.request_window import RequestWindow
from brokertape.simulator.texts import TEXTS, UPSTREAM_LOST, Language

SERVER_VER = 1011  # what the simulator calls its gateway's version
FAILED = -1
MAX_TRADE_DATE_SPAN_DAYS = 3_660


@dataclass(frozen=True, slots=True)
class TopTenReply:
    """The reply to one 3247 request; a failed one has no table."""

    ret_type: int
    ret_msg: str
    table: TopTenBrokers | None

    def table_or_raise(self) -> TopTenBrokers:
        """The table.

        Raises:
            Refused: The kind of refusal that a client reads from the text.
        """
        if self.table is None:
            raise refusal(self.ret_type, self.ret_msg)
        return self.table


@dataclass(frozen=True, slots=True)
class Limits:
    """How often may be asked, and for how much.

    `snapshot_limit` is for 3203; calls but that and 3247 have no published limit. `snapshot_codes` is how many codes of
    one snapshot the account's quote rights allow: 20 under the lowest, 0 for none. `past_days` is how far back: how far
    a real gateway goes is not known.
    """

    limit: int = 30
    window_s: float = 30.0
    snapshot_limit: int = 60
    snapshot_codes: int = MAX_CODES
    counts_refused: bool = False
    past_days: int = 250


class GatewayRules:
    """The market, the limits and the misbehaviour behind one face.

    `market_now_s` is the market's time; `received_s`, on whatever clock the gateway has, is for limits and failures.
    Every method but `top_ten` raises Refused.
    """

    def __init__(
        self,
        market: Market,
        market_now_s: Callable[[], float],
        *,
        misbehaviour: Misbehaviour,
        limits: Limits,
        language: Language = Language.CHINESE,
    ) -> None:
        self.texts = TEXTS[language]
        self.misbehaviour = misbehaviour
        self.market_now_s = market_now_s
        self.top_ten_window = RequestWindow(limits.limit, limits.window_s, counts_refused=limits.counts_refused)
        self.snapshot_window = RequestWindow(
            limits.snapshot_limit, limits.window_s, counts_refused=limits.counts_refused
        )
        self.snapshot_codes = limits.snapshot_codes  # may change at any time: rights are lost to another login
        self._past_days = limits.past_days
        self._market = market

    def top_ten(self, code: str, days_before: int, received_s: float) -> TopTenReply:
        """The reply to a 3247 request, which counts against the limit whatever comes of it."""
        try:
            self._admit(self.top_ten_window, self.texts.top_ten, received_s)
            self._check_code_can_answer(code, received_s)
            if not 0 <= days_before <= self._past_days:
                raise self._bad_parameter("daysBefore")
        except Refused as refused:
            return TopTenReply(refused.ret_type, refused.ret_msg, None)
        table = self._current_market().table(code, days_before)
        return TopTenReply(OK, "", self.misbehaviour.distorted(table))

    def quotes(self, codes: Sequence[str], received_s: float) -> list[Quote]:
        """The quotes for a market snapshot (3203)."""
        self._admit(self.snapshot_window, self.texts.snapshot, received_s)
        if not 0 < len(codes) <= MAX_CODES:
            raise self._bad_parameter("securityList")
        self._check_snapshot_rights(len(codes))
        self.check_codes(codes)
        market = self._current_market()
        return [market.quote(code) for code in codes]

    def quote(self, code: str) -> Quote:
        """The quote of a code that was checked before, as it is pushed."""
        return self._current_market().quote(code)

    def advance(self) -> None:
        """Bring the market to the present."""
        self._market.advance(self.market_now_s())

    def static_info(self, codes: Sequence[str]) -> list[Instrument]:
        """The securities of `codes` (3202)."""
        self.check_codes(codes)
        return [self.instrument(code) for code in codes]

    def instruments(self) -> Sequence[Instrument]:
        """Every security there is."""
        return self._market.instruments

    def market_state(self) -> MarketState:
        """The state of the market now (1002, 3223)."""
        return self._current_market().state

    def trade_dates(self, begin: str, end: str) -> list[TradeDate]:
        """The trading days from `begin` to `end` (`YYYY-MM-DD`; a time of day is ignored), both included (3219)."""
        try:
            begin_date, end_date = _date(begin), _date(end)
        except ValueError as error:
            raise self._bad_parameter("beginTime, endTime") from error
        if (end_date - begin_date).days > MAX_TRADE_DATE_SPAN_DAYS:
            raise self._bad_parameter("endTime")
        return self._market.trade_dates(begin_date, end_date)

    def instrument(self, code: str) -> Instrument:
        """The security of a code."""
        instrument = self._market.instrument(code)
        if instrument is None:
            raise self._refusal(self.texts.unknown_code, code=code.partition(".")[2])
        return instrument

    def check_codes(self, codes: Sequence[str]) -> None:
        """Refuse the request when the backend is away or one of the codes is not known."""
        self._check_backend()
        for code in codes:
            self.instrument(code)

    def _check_code_can_answer(self, code: str, received_s: float) -> None:
        self._check_backend()
        ret_msg = self.misbehaviour.failure_of(code, received_s)
        if ret_msg is not None:
            raise refusal(FAILED, ret_msg)
        if not code.startswith("HK.") or not self.instrument(code).has_broker_table:
            raise self._refusal(self.texts.only_hong_kong)

    def _check_snapshot_rights(self, count: int) -> None:
        if self.snapshot_codes == 0:
            raise self._refusal(self.texts.no_rights)
        if count > self.snapshot_codes:
            raise self._refusal(self.texts.too_many_codes, most=self.snapshot_codes)

    def _check_backend(self) -> None:
        if not self.misbehaviour.is_logged_in:
            raise refusal(FAILED, UPSTREAM_LOST)

    def _admit(self, window: RequestWindow, api: str, received_s: float) -> None:
        if not window.admit(received_s):
            raise self._refusal(self.texts.over_limit, api=api, limit=window.limit, window_s=window.window_s)

    def _current_market(self) -> Market:
        self.advance()
        return self._market

    def _bad_parameter(self, name: str) -> Refused:
        return self._refusal(self.texts.bad_parameter, name=name)

    def _refusal(self, text: str, **values: object) -> Refused:
        return refusal(FAILED, text.format(**values))


def _date(text: str) -> date:
    return datetime.fromisoformat(text).date()  # the vendor's SDK adds a time of day
