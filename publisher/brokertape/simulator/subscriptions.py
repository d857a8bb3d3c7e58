"""Who subscribed to what, the quota it takes, and which quotes are to be pushed to whom."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from brokertape.gateway.refusals import refusal
from brokertape.simulator.market import Quote
from brokertape.simulator.rules import FAILED
from brokertape.simulator.texts import Texts

BASIC = 1  # the subscription type that pushes quotes
SHORTEST_S = 60.0

Unit = tuple[str, int]  # code, subscription type


@dataclass(slots=True)
class Subscriber:
    """One connection: since when it has which unit, and the volume last pushed of each code it gets pushes of."""

    since_s: dict[Unit, float] = field(default_factory=dict)
    pushed_volume: dict[str, int | None] = field(default_factory=dict)
    is_gone: bool = False


class Subscriptions:
    """A unit is one code under one type, counted once over all connections and given back a minute old at the earliest.

    A closed connection's units stay taken until they are that old.
    """

    def __init__(self, quota: int, texts: Texts) -> None:
        self.quota = quota
        self._texts = texts
        self._subscribers: dict[int, Subscriber] = {}

    @property
    def used(self) -> int:
        """Units taken, over all connections."""
        return len(self._units())

    def units_of(self, conn_id: int) -> list[Unit]:
        """What one connection has subscribed to."""
        return list(self._subscriber(conn_id).since_s)

    def subscribe(self, conn_id: int, units: Iterable[Unit], now_s: float) -> None:
        """Take units; a subscription that is there already keeps its age.

        Raises:
            QuotaExhausted: There are not enough left; none is taken.
        """
        wanted = self._units() | set(units)
        if len(wanted) > self.quota:
            raise refusal(FAILED, self._texts.quota_exhausted.format(used=self.used, quota=self.quota))
        since_s = self._subscriber(conn_id).since_s
        for unit in units:
            since_s.setdefault(unit, now_s)

    def unsubscribe(self, conn_id: int, units: Iterable[Unit], now_s: float) -> None:
        """Give units back.

        Raises:
            UnsubscribedTooSoon: One is not a minute old; none is given back.
        """
        subscriber = self._subscriber(conn_id)
        for code, sub_type in units:
            if now_s - subscriber.since_s.get((code, sub_type), now_s - SHORTEST_S) < SHORTEST_S:
                raise refusal(FAILED, self._texts.unsubscribed_too_soon.format(code=code))
        for code, sub_type in units:
            subscriber.since_s.pop((code, sub_type), None)
            if sub_type == BASIC:
                subscriber.pushed_volume.pop(code, None)

    def register_push(self, conn_id: int, code: str, volume: int | None) -> None:
        """Push a code's quote whenever its volume is another than `volume`; None pushes it at once."""
        self._subscriber(conn_id).pushed_volume[code] = volume

    def unregister_push(self, conn_id: int, code: str) -> None:
        """Push a code's quote no more."""
        self._subscriber(conn_id).pushed_volume.pop(code, None)

    def due_quotes(self, conn_id: int, quote_of: Callable[[str], Quote]) -> list[Quote]:
        """The quotes that a connection has not been pushed yet."""
        pushed_volume = self._subscriber(conn_id).pushed_volume
        quotes = [quote_of(code) for code in pushed_volume]
        return [quote for quote in quotes if quote.volume != pushed_volume[quote.code]]

    def note_pushed(self, conn_id: int, quotes: Iterable[Quote]) -> None:
        """These are pushed."""
        pushed_volume = self._subscriber(conn_id).pushed_volume
        for quote in quotes:
            pushed_volume[quote.code] = quote.volume

    def leave(self, conn_id: int) -> None:
        """The connection is closed."""
        subscriber = self._subscriber(conn_id)
        subscriber.is_gone = True
        subscriber.pushed_volume.clear()

    def expire(self, now_s: float) -> None:
        """Release what closed connections still held and is a minute old now."""
        for conn_id, subscriber in list(self._subscribers.items()):
            if subscriber.is_gone and all(now_s - since_s >= SHORTEST_S for since_s in subscriber.since_s.values()):
                del self._subscribers[conn_id]

    def _subscriber(self, conn_id: int) -> Subscriber:
        return self._subscribers.setdefault(conn_id, Subscriber())

    def _units(self) -> set[Unit]:
        return {unit for subscriber in self._subscribers.values() for unit in subscriber.since_s}
