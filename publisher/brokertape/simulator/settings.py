"""Every setting of the simulated gateway with its default, checked once."""

import math
import re
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from brokertape.gateway.encryption import RsaCipher
from brokertape.gateway.errors import InvalidSettings
from brokertape.gateway.port import MAX_CODES
from brokertape.simulator.clock import BUSY, NOW, begin_s
from brokertape.simulator.instruments import KNOWN, instruments_of
from brokertape.simulator.market_model import MarketSettings, Restatement, Suspension
from brokertape.simulator.misbehaviour import Misbehaviour
from brokertape.simulator.rules import Limits
from brokertape.simulator.texts import Language
from brokertape.simulator.trading_calendar import TradingCalendar

MAX_LIST_LAG_S = 3600.0  # so that a day's last trade shows long before the next day's lists begin
_CODE = re.compile(r"HK\.[0-9]{5,6}")

__all__ = ["BUSY", "NOW", "SimulatorSettings"]


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """What the simulated gateway is like.

    Raises:
        InvalidSettings: On construction, with a line that names the setting.
    """

    # Where it listens; port 0 takes any free one.
    host: str = "127.0.0.1"
    port: int = 11111
    rsa_key_file: Path | None = None
    max_connections: int = 128
    keep_alive_interval_s: int = 10
    keep_alive_timeout_s: float = 30.0
    login_user_id: int = 0  # whose account it is; 0: one of its own, by host and port

    # The market. The first code is the busiest. `start`: now, busy (the last opening) or 2026-05-08T09:30.
    codes: tuple[str, ...] = tuple(instrument.code for instrument in KNOWN)
    seed: int = 1
    trades_per_s: float = 3.0
    start: str = NOW
    speed: float = 1.0
    holidays: tuple[date, ...] = ()
    half_days: tuple[date, ...] = ()
    suspended_codes: tuple[str, ...] = ()
    idle_codes: tuple[str, ...] = ()
    delisted_codes: tuple[str, ...] = ()
    repeated_name_codes: tuple[str, ...] = ()
    empty_name_codes: tuple[str, ...] = ()
    # (code, market seconds after the start) at which totals of the day are taken back.
    restatements: tuple[tuple[str, float], ...] = ()
    # How long after a trade, in market seconds, the broker list shows it: each trade's own, between these two.
    list_lag_s: tuple[float, float] = (0.0, 0.0)

    # What it allows; of a snapshot 20 codes under the lowest quote rights, 0 without any. Refused requests of a real
    # gateway may count or not; here they do not unless told to.
    limit: int = 30
    window_s: float = 30.0
    snapshot_limit: int = 60
    snapshot_codes: int = MAX_CODES
    counts_refused: bool = False
    past_days: int = 250
    subscription_quota: int = 300
    language: Language = Language.CHINESE

    # What goes wrong from the start; `GatewayServer.misbehaviour` changes it later. Delays are each way.
    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    stall_probability: float = 0.0
    stall_ms: float = 0.0
    drop_reply_probability: float = 0.0
    cut_reply_probability: float = 0.0
    refuse_logins_s: float = 0.0  # inf: for ever
    qot_logined: bool = True
    empty_codes: tuple[str, ...] = ()
    failing_codes: tuple[tuple[str, str], ...] = ()  # (code, text)

    # A JSON line for every 3247 answer sent, appended.
    log_file: Path | None = None

    def __post_init__(self) -> None:
        self._check_listening()
        self._check_codes()
        self._check_limits()
        self._check_misbehaviour()
        begin_s(self.start, self.calendar, now_s=0.0)
        if self.rsa_key_file is not None:
            RsaCipher.from_file(self.rsa_key_file)

    @property
    def calendar(self) -> TradingCalendar:
        """When the market trades."""
        return TradingCalendar(frozenset(self.holidays), frozenset(self.half_days))

    @property
    def limits(self) -> Limits:
        """How often may be asked, and for how much."""
        return Limits(
            limit=self.limit,
            window_s=self.window_s,
            snapshot_limit=self.snapshot_limit,
            snapshot_codes=self.snapshot_codes,
            counts_refused=self.counts_refused,
            past_days=self.past_days,
        )

    def market(self, begins_s: float) -> MarketSettings:
        """The market model of these settings, begun at a moment in s since 1970."""
        return MarketSettings(
            instruments=tuple(
                replace(instrument, is_delisted=instrument.code in self.delisted_codes)
                for instrument in instruments_of(self.codes)
            ),
            seed=self.seed,
            trades_per_s=self.trades_per_s,
            calendar=self.calendar,
            suspensions=tuple(Suspension(code, -math.inf, math.inf) for code in self.suspended_codes),
            restatements=tuple(Restatement(code, begins_s + after_s) for code, after_s in self.restatements),
            idle_codes=frozenset(self.idle_codes),
            repeated_name_codes=frozenset(self.repeated_name_codes),
            empty_name_codes=frozenset(self.empty_name_codes),
            list_lag_s=self.list_lag_s,
        )

    def misbehaviour(self, now_s: float) -> Misbehaviour:
        """What goes wrong from the start, on a gateway whose clock says `now_s`."""
        misbehaviour = Misbehaviour(
            latency_ms=self.latency_ms,
            jitter_ms=self.jitter_ms,
            stall_probability=self.stall_probability,
            stall_ms=self.stall_ms,
            drop_reply_probability=self.drop_reply_probability,
            cut_reply_probability=self.cut_reply_probability,
            empty_codes=set(self.empty_codes),
            seed=self.seed,
            is_logged_in=self.qot_logined,
        )
        misbehaviour.refuse_logins(now_s + self.refuse_logins_s)
        for code, ret_msg in self.failing_codes:
            misbehaviour.fail_code(code, ret_msg)
        return misbehaviour

    def _check_listening(self) -> None:
        if not self.host or any(character.isspace() for character in self.host):
            raise InvalidSettings(f"simulator host {self.host!r}: give a host name or address")
        self._check("port", 0, (1 << 16) - 1)
        self._check("max_connections", 1, 10_000)
        self._check("keep_alive_interval_s", 1, 3600)
        self._check("keep_alive_timeout_s", 0.1, 3600)
        self._check("login_user_id", 0, (1 << 63) - 1)

    def _check_codes(self) -> None:
        if not self.codes:
            raise InvalidSettings("simulator codes: give at least one")
        for code in self.codes:
            if not _CODE.fullmatch(code):
                raise InvalidSettings(f"simulator code {code!r}: write HK. and five digits, as in HK.00700")
        if len(set(self.codes)) < len(self.codes):
            raise InvalidSettings("simulator codes: one is given twice")
        self._check("trades_per_s", 0, 1000)
        self._check("speed", 0, 10_000)
        self._check_list_lag()
        self._check_known("suspended_codes", self.suspended_codes)
        self._check_known("idle_codes", self.idle_codes)
        self._check_known("delisted_codes", self.delisted_codes)
        self._check_known("repeated_name_codes", self.repeated_name_codes)
        self._check_known("empty_name_codes", self.empty_name_codes)
        self._check_known("restatements", tuple(code for code, _ in self.restatements))

    def _check_list_lag(self) -> None:
        shortest_s, longest_s = self.list_lag_s
        if not 0 <= shortest_s <= longest_s <= MAX_LIST_LAG_S:
            raise InvalidSettings(
                f"simulator list_lag_s {shortest_s:g},{longest_s:g}: give the shortest and the longest lag, "
                f"0 to {MAX_LIST_LAG_S:g}"
            )

    def _check_limits(self) -> None:
        self._check("limit", 1, 1_000_000)
        self._check("window_s", 0.001, 3600)
        self._check("snapshot_limit", 1, 1_000_000)
        self._check("snapshot_codes", 0, MAX_CODES)
        self._check("past_days", 0, 250)
        self._check("subscription_quota", 0, 1_000_000)

    def _check_misbehaviour(self) -> None:
        for name in ("latency_ms", "jitter_ms", "stall_ms"):
            self._check(name, 0, 600_000)
        for name in ("stall_probability", "drop_reply_probability", "cut_reply_probability"):
            self._check(name, 0, 1)
        self._check("refuse_logins_s", 0, math.inf)
        self._check_known("empty_codes", self.empty_codes)

    def _check(self, name: str, least: float, most: float) -> None:
        value: float = getattr(self, name)
        if not least <= value <= most:  # nan is between nothing
            raise InvalidSettings(f"simulator {name} {value:g}: give {least:g} to {most:g}")

    def _check_known(self, name: str, codes: tuple[str, ...]) -> None:
        for code in codes:
            if code not in self.codes:
                raise InvalidSettings(f"simulator {name}: {code} is not among the codes")
