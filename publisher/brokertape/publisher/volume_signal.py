"""What volumes say, from whichever source, told to the schedule: who trades, who has traded, who speaks for whom."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from brokertape.gateway.values import BasicQuote, SecuritySnapshot
from brokertape.publisher.clock import Clock
from brokertape.publisher.schedule import Schedule
from brokertape.publisher.volumes import Volumes

AFTER_REST_S = 15.0


@dataclass(slots=True)
class News:
    """What volumes say that was not known before."""

    traded: list[str] = field(default_factory=list)
    halted: list[str] = field(default_factory=list)
    """Suspended or delisted since."""
    resumed: list[str] = field(default_factory=list)


class VolumeSource(Protocol):
    """Whoever finds out about volumes. `name` is for the log."""

    name: str

    @property
    def interval_s(self) -> float:
        """How long to the next look."""

    async def look(self) -> None:
        """Find out. Raises StoreError."""


class VolumeSignal:
    """Tells `schedule`.

    Args:
        schedule: Who is told.
        clock: The schedule's.
        on_news: Called when something is new.
    """

    def __init__(self, schedule: Schedule, clock: Clock, on_news: Callable[[News], None] = lambda _: None) -> None:
        self.on_news = on_news
        self.round_s: float | None = None
        """How long a trade may take to be told, in s; None if no source has said."""
        self._schedule = schedule
        self._clock = clock
        self._volumes = Volumes()
        self._spoken_until: dict[str, float] = {}

    def rest(self) -> None:
        """The market rests, and nobody has to look: who speaks for a code will have looked soon after it wakes."""
        self._volumes.rest()
        self.speak_for(list(self._spoken_until), AFTER_REST_S)

    def take(self, looks: Sequence[SecuritySnapshot | BasicQuote], valid_s: float) -> None:
        """These are the volumes now; for `valid_s` from now on they would be told if they changed."""
        self.speak_for((look.code for look in looks), valid_s)
        news, now = News(self._volumes.take(looks)), self._clock.monotonic_s()
        for code in news.traded:
            self._schedule.trade(code, now)
        for look in looks:
            self._compare_halt(look, news)
        if news != News():
            self.on_news(news)

    def speak_for(self, codes: Iterable[str], valid_s: float) -> None:
        """If these traded it would be told, for `valid_s` from now on."""
        until = self._clock.monotonic_s() + valid_s
        for code in codes:
            self._spoken_until[code] = max(until, self._spoken_until.get(code, until))
        self.refresh()

    def _compare_halt(self, look: SecuritySnapshot | BasicQuote, news: News) -> None:
        """With what the schedule has: a code may have gone and come back between two looks."""
        if look.code in self._schedule.codes and look.is_halted != self._schedule.is_halted(look.code):
            self._schedule.halt(look.code, look.is_halted)
            (news.halted if look.is_halted else news.resumed).append(look.code)

    def refresh(self) -> None:
        """Codes that nobody speaks for any more are polled as if nobody ever had, halted or not."""
        now, wanted = self._clock.monotonic_s(), self._schedule.codes
        lost = [code for code, until in self._spoken_until.items() if until <= now or code not in wanted]
        for code in lost:
            del self._spoken_until[code]
            self._schedule.halt(code, is_halted=False)
        if lost:
            self._volumes.keep(self._spoken_until)
        self._schedule.signal(self._spoken_until.keys(), now, self.round_s)
