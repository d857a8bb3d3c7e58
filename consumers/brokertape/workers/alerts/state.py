"""What the rules remember, code by code: it moves with the code, and nothing else decides what comes next."""

from dataclasses import dataclass, field

from brokertape.tape.rows import Side
from brokertape.workers.alerts.known import Known
from brokertape.workers.alerts.window import Window

Key = tuple[str, int]
"""A broker: its name, and which of that name it is, from 0. Several together go by `TOGETHER`."""

TOGETHER: Key = ("", 0)


@dataclass(slots=True)
class Standing:
    """How a rule stands with one broker, or with several together."""

    is_on: bool = False
    """It has fired, and what it fired for has not ended."""
    silent_until: int = 0
    """When its cooldown ends, in the data's time, ms since 1970."""
    held: int = 0
    """How many events in a row have found it to hold."""
    last_side: Side | None = None
    """The side on which several together were last certain to be, today."""
    window: Window = field(default_factory=Window)

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
