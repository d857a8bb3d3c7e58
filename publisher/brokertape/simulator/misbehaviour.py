"""What a test or a demo tells the gateway to do wrong. It may be changed while the gateway runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from math import inf
from random import Random

from brokertape.gateway.values import PROGRAM_READY, TopTenBrokers

_FIRST_QUOTE_PROTO_ID = 3000


class Fate(Enum):
    """What becomes of a reply."""

    SENT = "sent"
    DROPPED = "dropped"
    CUT = "cut"  # the connection ends in the middle of it


@dataclass(frozen=True, slots=True)
class CodeFailure:
    """A code whose table is refused with `ret_msg` from one moment to before another, on the gateway's clock."""

    code: str
    ret_msg: str
    from_s: float = -inf
    until_s: float = inf


@dataclass
class Misbehaviour:
    """All that can go wrong. Moments are on the clock of the gateway it belongs to (`now_s`).

    Latency, jitter and stalls hold a message up, each way; messages never overtake each other. Fates befall replies to
    quote requests, never InitConnect or KeepAlive.
    """

    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    stall_probability: float = 0.0
    stall_ms: float = 0.0
    drop_reply_probability: float = 0.0
    cut_reply_probability: float = 0.0
    empty_codes: set[str] = field(default_factory=set)
    seed: int = 1
    is_logged_in: bool = True
    program_status: int = PROGRAM_READY
    _logins_refused_until_s: float = -inf
    _failures: list[CodeFailure] = field(default_factory=list)
    _display_names: dict[str, dict[str, str]] = field(default_factory=dict)
    _next_fates: list[Fate] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)

    def refuse_logins(self, until_s: float = inf) -> None:
        """Answer InitConnect with a failure until `until_s`; `-inf` ends it."""
        self._logins_refused_until_s = until_s

    def fail_code(self, code: str, ret_msg: str, from_s: float = -inf, until_s: float = inf) -> None:
        """Refuse a code's table, with that text, for that time."""
        self._failures.append(CodeFailure(code, ret_msg, from_s, until_s))

    def heal_code(self, code: str) -> None:
        """Forget every failure of a code."""
        self._failures = [failure for failure in self._failures if failure.code != code]

    def show_as(self, code: str, display_names: Mapping[str, str]) -> None:
        """Show brokers of a code under other names: one that exists makes it stand twice, an empty one hides it."""
        self._display_names[code] = dict(display_names)

    def drop_replies(self, count: int = 1) -> None:
        """Let the next replies vanish."""
        self._next_fates += [Fate.DROPPED] * count

    def cut_replies(self, count: int = 1) -> None:
        """End the connection in the middle of each of the next replies."""
        self._next_fates += [Fate.CUT] * count

    def refuses_login(self, now_s: float) -> bool:
        """Whether InitConnect fails now."""
        return now_s < self._logins_refused_until_s

    def failure_of(self, code: str, now_s: float) -> str | None:
        """The text a code is refused with now, if it is."""
        for failure in self._failures:
            if failure.code == code and failure.from_s <= now_s < failure.until_s:
                return failure.ret_msg
        return None

    def distorted(self, table: TopTenBrokers) -> TopTenBrokers:
        """`table` as it is shown."""
        if table.code in self.empty_codes:
            return replace(table, brokers=())
        names = self._display_names.get(table.code)
        if not names:
            return table
        shown = (replace(item, broker_name=names.get(item.broker_name, item.broker_name)) for item in table.brokers)
        return replace(table, brokers=tuple(shown))

    def delay_s(self) -> float:
        """How long the next message travels, one way."""
        delay_ms = self.latency_ms + self._random.uniform(0, self.jitter_ms)
        if self.stall_probability and self._random.random() < self.stall_probability:
            delay_ms += self.stall_ms
        return delay_ms / 1000

    def next_fate(self, proto_id: int) -> Fate:
        """What becomes of the next reply."""
        if proto_id < _FIRST_QUOTE_PROTO_ID:
            return Fate.SENT
        if self._next_fates:
            return self._next_fates.pop(0)
        draw = self._random.random()
        if draw < self.drop_reply_probability:
            return Fate.DROPPED
        return Fate.CUT if draw < self.drop_reply_probability + self.cut_reply_probability else Fate.SENT
