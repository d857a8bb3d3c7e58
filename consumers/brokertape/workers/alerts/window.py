"""Sums of a broker's own trading over a stretch of time: by the data's time, bounded, and never too much."""

from collections.abc import Sequence

from msgspec import Struct, field

from brokertape.tape.changes import Flow

FINENESS = 128  # intervals shorter together than this part of a window are added up: at most twice as many are kept


class Sums(Struct, frozen=True, array_like=True, gc=False):
    """What was traded at least: shares, `turnover` and `net_value` in HKD.

    `unknown` counts the changes that hide some of it.
    """

    bought: int = 0
    sold: int = 0
    net: int = 0
    turnover: float = 0.0
    net_value: float = 0.0
    unknown: int = 0

    @classmethod
    def of(cls, flow: Flow | None) -> "Sums":
        """One interval's. Without gross volumes at least the net is known: that much was bought or sold."""
        if flow is None:
            return HIDDEN
        net, is_priced = flow.net_vol, flow.vwap is not None or not flow.net_vol
        is_whole = None not in (flow.buy_vol, flow.sell_vol, flow.turnover) and is_priced
        return cls(
            max(net, 0) if flow.buy_vol is None else flow.buy_vol,
            max(-net, 0) if flow.sell_vol is None else flow.sell_vol,
            net,
            flow.turnover or 0.0,
            net * (flow.vwap or 0.0),
            0 if is_whole else 1,
        )


NOTHING = Sums()
HIDDEN = Sums(unknown=1)


class Part(Struct, frozen=True, array_like=True, gc=False):
    """The trading of one interval, `since` to `at` (ms since 1970)."""

    since: int
    at: int
    sums: Sums


class Window(Struct, gc=False):
    """The intervals that lie wholly within the last `over_ms`, the oldest first.

    One that began before counts for nothing: part of it may have been traded earlier. So what the sums say was
    traded within the window certainly was; how much more, nobody can know.
    """

    parts: list[Part] = field(default_factory=list)

    def add(self, part: Part, over_ms: int) -> None:
        """Take an interval in, the latest so far; one with the last if they are short."""
        parts = self.parts
        if parts and (part.at - parts[-1].since) * FINENESS <= over_ms:
            last = parts[-1]
            parts[-1] = Part(last.since, part.at, total([last.sums, part.sums]))
        else:
            parts.append(part)

    def sums(self, now: int, over_ms: int) -> Sums:
        """What was traded in the `over_ms` before `now`. What is older is dropped: time does not go back."""
        parts, begin = self.parts, now - over_ms
        if parts and parts[0].since < begin:
            parts = self.parts = [part for part in parts if part.since >= begin]
        return parts[0].sums if len(parts) == 1 else total([part.sums for part in parts])


def total(sums: Sequence[Sums]) -> Sums:
    """All of `sums` together, added up in their order."""
    bought = sold = net = unknown = 0
    turnover = net_value = 0.0
    for one in sums:
        bought += one.bought
        sold += one.sold
        net += one.net
        turnover += one.turnover
        net_value += one.net_value
        unknown += one.unknown
    return Sums(bought, sold, net, turnover, net_value, unknown)
