"""What a condition can ask: the fields of a broker, of several brokers taken together, and of a basket of codes.

Every property is a field. Its annotation is the field's type, its docstring what the documentation says; one that
gives None is absent. A flow's fields are written with a dot: `flow.net_vol` is the property `flow_net_vol`.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from msgspec import Struct

from brokertape.tape.rows import Side
from brokertape.workers.alerts.expression import FieldType, Value
from brokertape.workers.alerts.news import News, Record
from brokertape.workers.alerts.window import NOTHING, Sums

_TYPES: Mapping[Any, FieldType] = {
    bool: FieldType.BOOL,
    int: FieldType.INT,
    float: FieldType.DOUBLE,
    str: FieldType.STRING,
    Side: FieldType.STRING,
    list[str]: FieldType.STRINGS,
}


@dataclass(frozen=True, slots=True)
class Field:
    """One thing a condition can ask of a view."""

    name: str
    kind: FieldType
    meaning: str
    get: Callable[[Any], Any]


def fields_of(*views: type) -> dict[str, Field]:
    """The fields of views, by name."""
    found: dict[str, Field] = {}
    for view in views:
        for attribute, member in inspect.getmembers(view, lambda one: isinstance(one, property)):
            name = attribute.replace("flow_", "flow.", 1) if attribute in _DOTTED else attribute
            found[name] = Field(name, _type_of(member), inspect.cleandoc(member.__doc__ or ""), member.fget)
    return found


_DOTTED = {"flow_net_vol", "flow_buy_vol", "flow_sell_vol", "flow_turnover", "flow_vwap"}


def _type_of(member: property) -> FieldType:
    annotation = inspect.get_annotations(member.fget, eval_str=True)["return"] if member.fget else bool
    for kind, name in _TYPES.items():
        if annotation in (kind, kind | None):
            return name
    raise TypeError(f"{member} has the type {annotation}, which no condition knows")


class View(Protocol):
    """What a condition is asked about."""


class WindowView:
    """What was traded within `over`: at least; an interval that began before counts for nothing."""

    __slots__ = ()

    sums: Sums

    @property
    def bought(self) -> int:
        """Shares bought."""
        return self.sums.bought

    @property
    def sold(self) -> int:
        """Shares sold."""
        return self.sums.sold

    @property
    def net(self) -> int:
        """Shares bought less shares sold."""
        return self.sums.net

    @property
    def turnover(self) -> float:
        """Bought and sold, in HKD."""
        return self.sums.turnover

    @property
    def net_value(self) -> float:
        """Net shares of each interval at its average price, in HKD."""
        return self.sums.net_value

    @property
    def unknown(self) -> int:
        """Changes whose trading is not known, or not all of it, so that it is missing from the sums."""
        return self.sums.unknown


class CodeView(Struct, gc=False):
    """Whose event it is."""

    news: News

    @property
    def code(self) -> str:
        """The code that has just changed, as `HK.00700`."""
        return self.news.code

    @property
    def trading_date(self) -> str:
        """As `2026-05-08`."""
        return self.news.trading_date


class EventView(CodeView, gc=False):
    """What is asked of the event, where a rule is about one code."""

    @property
    def event(self) -> str:
        """`change`, or whatever else the rule is `on`."""
        return self.news.kind

    @property
    def interval_s(self) -> float | None:
        """How long before the answer the last look had been asked for: all that changed, changed in between."""
        return None if self.news.since is None else (self.news.at - self.news.since) / 1000

    @property
    def unseen_low(self) -> int | None:
        """Who is not listed has at least this net volume: the last seller's; 0 if all sellers are listed."""
        return self.news.view.unseen_low

    @property
    def unseen_high(self) -> int | None:
        """Who is not listed has at most this net volume: the last buyer's; 0 if all buyers are listed."""
        return self.news.view.unseen_high


class BrokerView(EventView, WindowView, gc=False):
    """One broker in one code."""

    record: Record
    sums: Sums

    @property
    def broker(self) -> str:
        """The broker's name, as the gateway writes it."""
        return self.record.broker

    @property
    def kinds(self) -> list[str]:
        """`entered`, `left`, `flipped`, `net`, `activity`, `ranked`: one or more; none if it stayed as it was."""
        return list(self.record.kinds)

    @property
    def turned(self) -> bool:
        """It was last listed on the other side, today; it may have been off the list in between."""
        return self.record.has_turned

    @property
    def was_listed(self) -> bool:
        """It was on the list before."""
        return self.record.before is not None

    @property
    def is_listed(self) -> bool:
        """It is on the list now."""
        return self.record.after is not None

    @property
    def side(self) -> Side | None:
        """`buy` or `sell`: the side it is listed on."""
        return None if self.record.after is None else self.record.after.side

    @property
    def side_before(self) -> Side | None:
        """The side it was listed on."""
        return None if self.record.before is None else self.record.before.side

    @property
    def rank(self) -> int | None:
        """Its place on its side, from 1."""
        return None if self.record.after is None else self.record.after.rank

    @property
    def rank_before(self) -> int | None:
        """The place it had."""
        return None if self.record.before is None else self.record.before.rank

    @property
    def net_vol(self) -> int | None:
        """Its net volume today, in shares; a seller's is negative."""
        return None if self.record.after is None else self.record.after.net_vol

    @property
    def net_vol_before(self) -> int | None:
        """The net volume it had."""
        return None if self.record.before is None else self.record.before.net_vol

    @property
    def avg_price(self) -> float | None:
        """The average price of all it traded today, in HKD."""
        return None if self.record.after is None else self.record.after.avg_price

    @property
    def total_vol(self) -> float | None:
        """All it bought and sold today, in shares."""
        return None if self.record.after is None else self.record.after.total_vol

    @property
    def total_turnover(self) -> float | None:
        """All it bought and sold today, in HKD."""
        return None if self.record.after is None else self.record.after.total_turnover

    @property
    def flow_known(self) -> bool:
        """What it traded since the last look is known."""
        return self.record.flow is not None

    @property
    def flow_net_vol(self) -> int | None:
        """Shares bought less shares sold since the last look."""
        return None if self.record.flow is None else self.record.flow.net_vol

    @property
    def flow_buy_vol(self) -> int | None:
        """Shares bought since the last look."""
        return None if self.record.flow is None else self.record.flow.buy_vol

    @property
    def flow_sell_vol(self) -> int | None:
        """Shares sold since the last look."""
        return None if self.record.flow is None else self.record.flow.sell_vol

    @property
    def flow_turnover(self) -> float | None:
        """Bought and sold since the last look, in HKD."""
        return None if self.record.flow is None else self.record.flow.turnover

    @property
    def flow_vwap(self) -> float | None:
        """The average price of that, in HKD."""
        return None if self.record.flow is None else self.record.flow.vwap


class TogetherView(EventView, WindowView, gc=False):
    """Several brokers in one code, taken together.

    `members` are the names that belong to them: those that the rule spells out, and those that its patterns met today.
    With patterns there may be others that nobody has met, so that nothing is certain.
    """

    records: Sequence[Record]
    members: frozenset[str]
    sums: Sums = NOTHING
    is_certain: bool = True
    has_turned: bool = False

    @property
    def turned(self) -> bool:
        """`side` was the other one when it was last certain, today."""
        return self.has_turned

    @property
    def buyers(self) -> int:
        """How many of them are listed as buyers."""
        return sum(record.after is not None and record.after.side == "buy" for record in self.records)

    @property
    def sellers(self) -> int:
        """How many of them are listed as sellers."""
        return sum(record.after is not None and record.after.side == "sell" for record in self.records)

    @property
    def unlisted(self) -> int:
        """How many of them are not listed: each of these lies between unseen_low and unseen_high."""
        return len(self.members - {record.broker for record in self.records if record.after is not None})

    @property
    def net_vol(self) -> int | None:
        """Net volume of those that are listed, in shares."""
        nets = [record.after.net_vol for record in self.records if record.after is not None]
        known = [net for net in nets if net is not None]
        return sum(known) if len(known) == len(nets) else None

    def moved(self) -> Sequence[Record]:
        """Those of them whose row changed."""
        return [record for record in self.records if record.kinds]

    def _bounds(self) -> tuple[int, int] | None:
        low, high, net_vol = self.news.view.unseen_low, self.news.view.unseen_high, self.net_vol
        if low is None or high is None or net_vol is None or not self.is_certain:
            return None
        return net_vol + self.unlisted * low, net_vol + self.unlisted * high

    @property
    def net_low(self) -> int | None:
        """The least their net volume can be, whatever those hold who are not listed.

        Absent with patterns, and with names that two brokers share.
        """
        bounds = self._bounds()
        return None if bounds is None else bounds[0]

    @property
    def net_high(self) -> int | None:
        """The most it can be; absent with patterns and names that two brokers share."""
        bounds = self._bounds()
        return None if bounds is None else bounds[1]

    @property
    def side(self) -> Side | None:
        """`buy` if net_low is above 0, `sell` if net_high is below 0; else nobody can tell."""
        bounds = self._bounds()
        if bounds is None or bounds[0] <= 0 <= bounds[1]:
            return None
        return "buy" if bounds[0] > 0 else "sell"


class BasketView(CodeView, WindowView, gc=False):
    """A broker, or brokers together, across several codes, one of which has just changed."""

    who: str
    sides: Mapping[str, Side]
    sums: Sums

    @property
    def broker(self) -> str:
        """The broker's name; empty where brokers are taken together."""
        return self.who

    @property
    def codes_buying(self) -> int:
        """In how many codes it is on the buying side, today; brokers together, where that is certain."""
        return sum(side == "buy" for side in self.sides.values())

    @property
    def codes_selling(self) -> int:
        """In how many codes it is on the selling side, today; brokers together, where that is certain."""
        return sum(side == "sell" for side in self.sides.values())


_WINDOW = frozenset(fields_of(WindowView))


@dataclass(frozen=True)
class Vocabulary:
    """The fields that a kind of rule may ask."""

    fields: Mapping[str, Field]

    @classmethod
    def of(cls, view: type, *, has_window: bool) -> "Vocabulary":
        """That of a view; sums over a window only where there is one."""
        return cls({name: one for name, one in fields_of(view).items() if has_window or name not in _WINDOW})

    @cached_property
    def types(self) -> dict[str, FieldType]:
        """As an expression is checked against."""
        return {name: one.kind for name, one in self.fields.items()}

    def reader(self, names: Iterable[str]) -> Callable[[View], dict[str, Value]]:
        """What a view says to `names`, sorted; what is absent is left out."""
        getters = [(name, self.fields[name].get) for name in sorted(names)]
        return lambda view: {name: value for name, get in getters if (value := get(view)) is not None}
