"""Sums of a broker's own trading over a stretch of time: by the data's time, bounded, and never too much. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from brokertape.tape.changes import Flow

MOST_PARTS = 256  # beyond, the older half is added up two by two: a long window gets coarser, never longer


class Sums(NamedTuple):
    """What was traded: shares, `turnover` and `net_value` in HKD; `unknown` counts the changes that hide it."""

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
        net = flow.net_vol
        return cls(
            max(net, 0) if flow.buy_vol is None else flow.buy_vol,
            max(-net, 0) if flow.sell_vol is None else flow.sell_vol,
            net,
            flow.turnover or 0.0,
            net * (flow.vwap or 0.0),
        )


NOTHING = Sums()
HIDDEN = Sums(unknown=1)


class Part(NamedTuple):
    """The trading of one interval, `since` to `at` (ms since 1970)."""

    since: int
    at: int
    sums: Sums

    def with_next(self, later: "Part") -> "Part":
        """Both as one interval."""
        return Part(min(self.since, later.since), max(self.at, later.at), total((self.sums, later.sums)))


@dataclass(slots=True)
class Window:
    """The intervals that lie wholly within the last `over_ms`.

    One that began before counts for nothing: part of it may have been traded earlier. So what the sums say was
    traded within the window certainly was; how much more, nobody can know.
    """

    parts: list[Part] = field(default_factory=list)

    def add(self, part: Part) -> None:
        """Take an interval in."""
        self.parts.append(part)
        if len(self.parts) > MOST_PARTS:
            self.parts = _coarser(self.parts)

    def sums(self, now: int, over_ms: int) -> Sums:
        """What was traded in the `over_ms` before `now`; what is older is forgotten."""
        begin = now - over_ms
        if self.parts and self.parts[0].since < begin:  # the oldest comes first
            self.parts = [part for part in self.parts if part.since >= begin]
        return total([part.sums for part in self.parts])


def total(sums: Sequence[Sums]) -> Sums:
    """All of `sums` together."""
    if len(sums) < 2:
        return sums[0] if sums else NOTHING
    return Sums(*map(sum, zip(*sums, strict=True)))


def _coarser(parts: list[Part]) -> list[Part]:
    half = len(parts) // 2 & ~1
    older = [first.with_next(second) for first, second in zip(parts[:half:2], parts[1:half:2], strict=True)]
    return older + parts[half:]
