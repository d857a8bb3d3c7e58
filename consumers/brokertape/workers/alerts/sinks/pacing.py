"""How a batch of alerts is told within a sink's limit: one by one, or together. Pure; time is an argument."""

from collections import deque
from collections.abc import Sequence

from brokertape.workers.alerts.digest import LATE, LIMIT, digest_event
from brokertape.workers.alerts.event import AlertEvent, Told
from brokertape.workers.alerts.sinks.message import Message

MINUTE_S = 60.0


class Pace:
    """At most `per_minute` messages in any minute."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._sent: deque[float] = deque()

    def room(self, now: float) -> int:
        """How many may be sent at once, at `now` (s)."""
        while self._sent and self._sent[0] <= now - MINUTE_S:
            self._sent.popleft()
        return self._per_minute - len(self._sent)

    def wait_s(self, now: float) -> float:
        """How long until one may be."""
        return 0.0 if self.room(now) > 0 else self._sent[0] + MINUTE_S - now

    def count(self, now: float) -> None:
        """One was."""
        self._sent.append(now)


def messages(batch: Sequence[Told], now_ms: int, late_after_ms: int, room: int, group: str) -> list[Message]:
    """What to send for `batch` in a sink's `room` (messages, at least one), in the order to send them.

    Digests go as they are, alerts that have become old on the way first and together. Where there is not room for all,
    the last message tells all the rest; where there is room for one, it counts as late if anything in it is.
    """
    oldest = now_ms - late_after_ms
    late = [told for told in batch if isinstance(told, AlertEvent) and told.data.at < oldest]
    others = [told for told in batch if told not in late]
    apart = [*([_message(late, LATE, group)] if late else []), *(_message([told], None, group) for told in others)]
    if len(apart) <= room:
        return apart
    if room == 1:
        return [_message([*late, *others], LIMIT, group, is_late=bool(late))]
    first = apart[: room - 1]
    return [*first, _message(others[len(first) - bool(late) :], LIMIT, group)]


def _message(batch: Sequence[Told], reason: str | None, group: str, *, is_late: bool = False) -> Message:
    """All of `batch` in one message; one of them alone stays what it is."""
    covers = tuple(told.id for told in batch)
    if len(batch) == 1:
        [told] = batch
        is_late |= reason == LATE or (not isinstance(told, AlertEvent) and told.data.reason == LATE)
        return Message(told, is_late, covers)
    alerts = [alert for told in batch for alert in ([told.data] if isinstance(told, AlertEvent) else told.data.alerts)]
    more = sum(0 if isinstance(told, AlertEvent) else told.data.more for told in batch)
    first_at = min(told.data.at if isinstance(told, AlertEvent) else told.data.first_at for told in batch)
    digest = digest_event(alerts, more, first_at, reason or LIMIT, group, batch[0].source)
    return Message(digest, is_late or reason == LATE, covers)
