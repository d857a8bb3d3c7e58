"""Rules: what to look for, checked and compiled."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import translate
from functools import cached_property

from brokertape.workers.alerts.expression import Expression, Language
from brokertape.workers.alerts.news import CHANGE, Record
from brokertape.workers.alerts.sinks.table import SinkTable
from brokertape.workers.alerts.views import BasketView, BrokerView, TogetherView, Vocabulary

MOST_NAMES = 10_000  # whose membership in a set is remembered
SIDES = ("buy", "sell")

_WILD = re.compile(r"[*?\[]")


def is_pattern(name: str) -> bool:
    """Whether a name stands for all that look like it."""
    return _WILD.search(name) is not None


class About(Enum):
    """Whom a rule judges: every broker of every code by itself, or several taken together."""

    BROKER = "a broker in a code"
    TOGETHER = "brokers together in a code"
    BASKET = "a broker across codes"
    BASKET_TOGETHER = "brokers together across codes"
    FRESHNESS = "a code that is not seen"

    @property
    def is_basket(self) -> bool:
        """Whether codes are taken together."""
        return self in (About.BASKET, About.BASKET_TOGETHER)

    @property
    def is_together(self) -> bool:
        """Whether brokers are."""
        return self in (About.TOGETHER, About.BASKET_TOGETHER)


def vocabulary(about: About, *, has_window: bool) -> Vocabulary:
    """The fields that conditions of such a rule may ask."""
    view = BasketView if about.is_basket else TogetherView if about.is_together else BrokerView
    return Vocabulary.of(view, has_window=has_window)


class Names:
    """A set of names, some of them patterns (`UBS*`); empty for all there are."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self.patterns = tuple(patterns)
        self.plain = frozenset(name for name in self.patterns if not is_pattern(name))
        wild = [translate(name) for name in self.patterns if is_pattern(name)]
        self._wild = re.compile("|".join(wild)) if wild else None
        self._known: dict[str, bool] = {}

    @property
    def has_patterns(self) -> bool:
        """Whether names belong to it that nobody has spelt out."""
        return not self.patterns or self._wild is not None

    def of(self, records: Sequence[Record]) -> Sequence[Record]:
        """Those whose broker belongs to it."""
        return [record for record in records if record.broker in self] if self.patterns else records

    def __repr__(self) -> str:
        return f"Names({', '.join(self.patterns) or 'all'})"

    def __contains__(self, name: str) -> bool:
        if name not in self._known:
            if len(self._known) > MOST_NAMES:
                self._known.clear()
            wild = self._wild is not None and self._wild.match(name) is not None
            self._known[name] = not self.patterns or name in self.plain or wild
        return self._known[name]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What to look for, and when to say it.

    Args:
        name: What it is called, in ids and messages.
        about: Whom it judges.
        when: What must hold; None for a rule about freshness.
        until: What ends it, so that it may fire again; None for the opposite of `when`.
        is_edge: It fires when it begins to hold, once until it has ended; else whenever it holds.
        codes, brokers: Whom it is about.
        sides: The sides that count, by where a broker is listed now or, off the list, was.
        on: The kinds of events it looks at.
        over_ms: The window of its sums; None for no window.
        polls: How many events of a code in a row must find it to hold.
        cooldown_ms: How long it is silent after it fired, in the data's time.
        stale_after_ms: After how long without a look a code is stale; None for any other rule.
        text: What it is for, in the operator's words.
        fingerprint: Of what it looks for: with another one, what a rule of this name remembers is of no use to it.
    """

    name: str
    about: About
    when: Expression | None
    until: Expression | None = None
    is_edge: bool = False
    codes: Names = field(default_factory=Names)
    brokers: Names = field(default_factory=Names)
    sides: frozenset[str] = frozenset(SIDES)
    on: frozenset[str] = frozenset((CHANGE,))
    over_ms: int | None = None
    polls: int = 1
    cooldown_ms: int = 0
    stale_after_ms: int | None = None
    text: str = ""
    fingerprint: str = ""

    @cached_property
    def conditions(self) -> Sequence[Expression]:
        """Those it has of `when` and `until`."""
        return [one for one in (self.when, self.until) if one is not None]

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What its conditions may ask."""
        return vocabulary(self.about, has_window=self.over_ms is not None)


@dataclass(frozen=True)
class RuleSet:
    """All of a file: rules, what their conditions are written in, names of codes for messages, and the sinks."""

    rules: Sequence[Rule]
    language: Language
    code_names: Mapping[str, str] = field(default_factory=dict)
    sinks: Sequence[SinkTable] = ()
    _by_code: dict[str, tuple[Rule, ...]] = field(default_factory=dict, init=False, compare=False, repr=False)

    def of_code(self, code: str) -> tuple[Rule, ...]:
        """The rules that a code is in the scope of."""
        if code not in self._by_code:
            if len(self._by_code) > MOST_NAMES:
                self._by_code.clear()
            self._by_code[code] = tuple(rule for rule in self.rules if code in rule.codes)
        return self._by_code[code]
