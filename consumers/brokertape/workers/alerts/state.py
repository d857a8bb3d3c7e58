"""What the rules remember: nothing else decides what comes next. Plain values, so that it can be stored and moved."""

from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from brokertape.tape.rows import Side
from brokertape.workers.alerts.known import Known
from brokertape.workers.alerts.window import Window

Key = tuple[str, int]
"""A broker: its name, and which of that name it is, from 0. Several together go by `TOGETHER`."""

TOGETHER: Key = ("", 0)

LONGEST_GAP_MS = 30_000  # the window of the gateway's limit: who is polled at all is so within it


class Standing(Struct, gc=False):
    """How a rule stands with one broker, or with several together."""

    is_on: bool = False
    """It has fired, and what it fired for has not ended."""
    silent_until: int = 0
    """When its cooldown ends, in the data's time, ms since 1970."""
    held: int = 0
    """How many events in a row have found it to hold."""
    last_side: Side | None = None
    """The side on which several together were last certain to be, today."""
    window: Window = msgspec.field(default_factory=Window)

    def forget_trading(self) -> None:
        """What was traded and seen before does not count any more."""
        self.held, self.last_side, self.window = 0, None, Window()


@dataclass(slots=True)
class CodeState:
    """One code: its list, and every rule's standings with its brokers."""

    known: Known = field(default_factory=Known)
    standings: dict[str, dict[Key, Standing]] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    """By rule that takes brokers together: those of its brokers that were listed today."""

    def standing(self, rule: str, key: Key = TOGETHER) -> Standing:
        """The rule's standing with a broker."""
        return self.standings.setdefault(rule, {}).setdefault(key, Standing())

    def restate(self, now: int, *, is_new_date: bool, is_correction: bool) -> None:
        """The list is stated anew. A new date begins with nothing but cooldowns; a correction voids what was summed.

        A baseline of the same date says only that something may have been missed in between.
        """
        if is_new_date:
            self._begin_day(now)
        for of_rule in self.standings.values():
            for standing in of_rule.values():
                standing.held = 0
                if is_correction:
                    standing.forget_trading()
        if is_new_date or is_correction:
            self.known.begin_anew()

    def _begin_day(self, now: int) -> None:
        self.members.clear()
        for rule, of_rule in self.standings.items():
            self.standings[rule] = {
                key: Standing(silent_until=one.silent_until) for key, one in of_rule.items() if one.silent_until > now
            }


@dataclass(slots=True)
class Share:
    """What one code contributes to a basket, on a date."""

    trading_date: str
    side: Side | None = None
    window: Window = field(default_factory=Window)


@dataclass(slots=True)
class Basket:
    """How a rule over several codes stands with one broker, on a date."""

    trading_date: str
    standing: Standing = field(default_factory=Standing)
    shares: dict[str, Share] = field(default_factory=dict)

    def begin_day(self, trading_date: str) -> None:
        """The first of its codes has come to that date: what the others were on an earlier one counts no more."""
        self.trading_date = trading_date
        self.standing = Standing(silent_until=self.standing.silent_until)
        self.shares = {code: share for code, share in self.shares.items() if share.trading_date == trading_date}

    def share(self, code: str, trading_date: str) -> Share:
        """The code's share on that date; that of another one counts no more."""
        share = self.shares.get(code)
        if share is None or share.trading_date != trading_date:
            share = self.shares[code] = Share(trading_date)
        return share

    @property
    def sides(self) -> dict[str, Side]:
        """Where the broker stands, in the codes that show it on the basket's date."""
        return {
            code: one.side for code, one in self.shares.items() if one.side and one.trading_date == self.trading_date
        }


@dataclass(slots=True)
class Baskets:
    """A rule's baskets, by broker, on the latest date that any of its codes has come to."""

    trading_date: str = ""
    by_broker: dict[Key, Basket] = field(default_factory=dict)

    def begin_day(self, trading_date: str, now: int) -> None:
        """Of earlier dates nothing stays but cooldowns."""
        self.trading_date = trading_date
        for basket in self.by_broker.values():
            basket.begin_day(trading_date)
        self.by_broker = {key: one for key, one in self.by_broker.items() if one.standing.silent_until > now}

    def of(self, key: Key) -> Basket:
        """A broker's."""
        return self.by_broker.setdefault(key, Basket(self.trading_date))

    def forget(self, code: str) -> None:
        """The code's share of every basket."""
        for basket in self.by_broker.values():
            basket.shares.pop(code, None)


@dataclass(slots=True)
class Attention:
    """For how long codes have been looked at at all: lunch, nights and a gateway that is away do not count.

    Time goes by as looks come, in the data's time; a gap between two counts up to LONGEST_GAP_MS.
    """

    now: int | None = None
    attended_ms: int = 0
    ticked_at: int = 0
    """When codes that nobody looks at were last looked for."""

    def look(self, at: int) -> None:
        """Somebody looked at some code, at `at` (ms since 1970)."""
        if self.now is not None:
            self.attended_ms += min(max(0, at - self.now), LONGEST_GAP_MS)
        self.now = at if self.now is None else max(self.now, at)


@dataclass(slots=True)
class Memory:
    """All of it."""

    codes: dict[str, CodeState] = field(default_factory=dict)
    baskets: dict[str, Baskets] = field(default_factory=dict)
    """By rule."""
    attention: Attention = field(default_factory=Attention)

    def forget_rule(self, name: str) -> None:
        """The rule is gone, or is another one by now."""
        self.baskets.pop(name, None)
        for code in self.codes.values():
            code.standings.pop(name, None)
            code.members.pop(name, None)
