"""Pushed quotes: which codes are subscribed, and what the schedule is told, in virtual time."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from brokertape.gateway.errors import GatewayError, QuotaExhausted, Refused, UnknownCode
from brokertape.gateway.values import BasicQuote, SubscriptionQuota
from brokertape.publisher.pushed_quotes import CHOOSE_EVERY_S, REFUSED_PAUSE_S, SPOKEN_S, YOUNGEST_S, PushedQuotes
from brokertape.publisher.schedule import Schedule
from brokertape.publisher.volume_signal import VolumeSignal
from brokertape.simulator.virtual_time import VirtualClock, run_virtual

CODES = [f"HK.{number:05}" for number in range(1, 7)]


@dataclass
class Desk:
    """A gateway that keeps subscriptions, within a quota, for a minute at least."""

    clock: VirtualClock
    quota: int = 3
    since: dict[str, float] = field(default_factory=dict)
    refuse: GatewayError | None = None
    unknown: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    is_connected: bool = True
    asked: int = 0

    @property
    def quote_codes(self) -> frozenset[str]:
        """What is subscribed."""
        return frozenset(self.since)

    @property
    def pushed_codes(self) -> frozenset[str]:
        """What the session has taken."""
        return self.quote_codes - self.lost

    async def subscribe_quotes(self, codes: Sequence[str]) -> None:
        """Within the quota."""
        self.asked += 1
        if self.refuse is not None:
            raise self.refuse
        if not self.unknown.isdisjoint(codes):
            raise UnknownCode(-1, "unknown stock")
        assert len(self.since.keys() | set(codes)) <= self.quota
        self.since |= {code: self.clock.monotonic_s() for code in codes if code not in self.since}

    async def unsubscribe_quotes(self, codes: Sequence[str]) -> None:
        """Not within a minute."""
        assert all(self.clock.monotonic_s() - self.since.pop(code) >= 60 for code in codes)

    async def subscription_quota(self) -> SubscriptionQuota:
        """What is used and what is left."""
        return SubscriptionQuota(len(self.since), self.quota - len(self.since))


class Place:
    """Pushed quotes at work on six codes, the first of which weighs most."""

    def __init__(self, most: int = 100) -> None:
        self.clock = VirtualClock(0)
        self.desk = Desk(self.clock)
        self.schedule = Schedule(CODES, 1.0, {code: 10.0 - place for place, code in enumerate(CODES)})
        self.schedule.next_due(self.clock.monotonic_s())
        signal = VolumeSignal(self.schedule, self.clock)
        self.pushed = PushedQuotes(self.desk, signal, self.schedule, self.clock, most)

    async def pass_time(self, seconds: float) -> None:
        """A look a second."""
        for _ in range(round(seconds)):
            await self.pushed.look()
            await self.clock.sleep(self.pushed.interval_s)

    def push(self, code: str, volume: int) -> None:
        """The gateway pushes a quote."""
        self.pushed.take([BasicQuote(code, 1.0, volume, 1.0, is_suspended=False)])

    @property
    def told(self) -> dict[str, int]:
        """Trades that wait, of the codes whose trades are told."""
        views = self.schedule.views(self.clock.monotonic_s())
        return {view.code: view.trades_waiting for view in views if view.trades_waiting is not None}


def play(act: Callable[[Place], Awaitable[None]], most: int = 100) -> None:
    """Run `act` in virtual time."""

    async def main() -> None:
        await act(Place(most))

    run_virtual(main())


def test_those_worth_most_are_subscribed_and_their_trades_told() -> None:
    """As many as the quota has room for."""

    async def act(place: Place) -> None:
        await place.pass_time(2)
        assert place.desk.quote_codes == set(CODES[:3])
        assert place.told == dict.fromkeys(CODES[:3], 1)  # since they were seen last they may have traded unheard
        for volume in (100, 100, 200, 300):
            place.push(CODES[0], volume)
        place.push("HK.99999", 5)
        assert place.told[CODES[0]] == 3

    play(act)


def test_no_more_are_subscribed_than_was_asked_for() -> None:
    """Whatever the quota."""

    async def act(place: Place) -> None:
        await place.pass_time(2)
        assert place.desk.quote_codes == {CODES[0]}

    play(act, most=1)


def test_a_code_worth_more_takes_a_place_that_is_a_minute_old() -> None:
    """Not before: the gateway does not let go of it."""

    async def act(place: Place) -> None:
        await place.pass_time(2)
        place.schedule.add(CODES[5], weight=10_000.0)
        await place.pass_time(YOUNGEST_S - 3)
        assert place.desk.quote_codes == {CODES[0]}
        await place.pass_time(2 * CHOOSE_EVERY_S)
        assert place.desk.quote_codes == {CODES[5]}
        assert set(place.told) == {CODES[5]}

    play(act, most=1)


def test_without_a_session_nobody_speaks_for_them() -> None:
    """Until it is back; the client subscribes them again by itself."""

    async def act(place: Place) -> None:
        await place.pass_time(2)
        place.desk.is_connected = False
        await place.pass_time(10)
        place.pushed.take([])
        assert place.told == {}
        place.desk.is_connected = True
        await place.pass_time(1)
        assert set(place.told) == set(CODES[:3])

    play(act)


def test_a_refusal_is_waited_out() -> None:
    """Without rights ten minutes; a quota that somebody else took one."""

    async def act(place: Place) -> None:
        place.desk.refuse = Refused(-1, "x")
        await place.pass_time(REFUSED_PAUSE_S - 1)
        assert place.desk.asked == 1
        place.desk.refuse = QuotaExhausted(-1, "x")
        await place.pass_time(CHOOSE_EVERY_S + 2)
        assert place.desk.asked == 3
        place.desk.refuse = None
        await place.pass_time(CHOOSE_EVERY_S)
        assert place.desk.quote_codes == set(CODES[:3])

    play(act)


def test_a_code_that_the_gateway_does_not_have_costs_the_others_a_minute() -> None:
    """It refuses all of them; once a poll of it has failed it takes nobody's place."""

    async def act(place: Place) -> None:
        place.desk.unknown = frozenset(CODES[:1])
        await place.pass_time(2)
        assert place.desk.quote_codes == set()
        place.schedule.failed(CODES[0], place.clock.monotonic_s(), 600.0)
        await place.pass_time(CHOOSE_EVERY_S)
        assert place.desk.quote_codes == set(CODES[1:4])

    play(act)


def test_nobody_speaks_for_what_a_new_session_has_not_taken() -> None:
    """It may refuse what an earlier one had: its trades are not told, so it is polled as if nobody ever had."""

    async def act(place: Place) -> None:
        await place.pass_time(2)
        assert place.told.keys() == set(CODES[:3])
        place.desk.lost = frozenset(CODES[:1])
        await place.pass_time(SPOKEN_S + 1)
        assert place.told.keys() == set(CODES[1:3])

    play(act)
