"""The handler of one sink: paces, sends, and remembers what was confirmed."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from brokertape.tape.backoff import is_set_within
from brokertape.workers.alerts.event import DigestEvent, Told
from brokertape.workers.alerts.sinks.message import Message, Sink
from brokertape.workers.alerts.sinks.pacing import Pace, messages
from brokertape.workers.delivery import Delivery
from brokertape.workers.errors import SinkUnavailable

MOST_CONFIRMED = 10_000


@dataclass(slots=True)
class OutletCounts:
    """Counters that only rise."""

    sent: int = 0
    """Messages that the sink confirmed."""
    digests: int = 0
    """Of them, those that tell several alerts."""


class Outlet:
    """Sends what comes, in order, within the sink's limit. `stop` ends the waiting for it.

    An alert that was confirmed is not sent again by this process, even if it could not be acknowledged: that is what
    `_confirmed` is for. After a crash in between it is, with the same id.
    """

    def __init__(
        self,
        sink: Sink,
        stop: asyncio.Event,
        *,
        group: str,
        per_minute: int,
        late_after_ms: int,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sink = sink
        self._stop = stop
        self._group = group
        self._late_after_ms = late_after_ms
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._pace = Pace(per_minute)
        self._confirmed: dict[str, None] = {}
        self.counts = OutletCounts()

    async def handle(self, batch: Sequence[Delivery[Told]]) -> None:
        """Tell all of `batch`. Raises what the sink raises."""
        left = [delivery.event for delivery in batch if delivery.event.id not in self._confirmed]
        if not left:
            return
        if await is_set_within(self._stop, self._pace.wait_s(self._monotonic())):
            raise SinkUnavailable("stopped while waiting for the sink's next minute")
        room = self._pace.room(self._monotonic())
        for message in messages(left, self._now_ms(), self._late_after_ms, room, self._group):
            self._pace.count(self._monotonic())
            await self._sink.send(message)
            self._confirm(message)

    def _confirm(self, message: Message) -> None:
        self.counts.sent += 1
        self.counts.digests += isinstance(message.told, DigestEvent)
        self._confirmed |= dict.fromkeys(message.covers)
        while len(self._confirmed) > MOST_CONFIRMED:
            del self._confirmed[next(iter(self._confirmed))]
