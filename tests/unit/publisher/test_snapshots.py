"""Market snapshots: what the schedule is told, and how many codes fit, in virtual time."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest

from brokertape.gateway.errors import (
    GatewayError,
    NoRights,
    OverBudget,
    Refused,
    RequestTimeout,
    TooManyCodes,
    UnknownCode,
)
from brokertape.gateway.port import Gateway
from brokertape.gateway.values import SecuritySnapshot
from brokertape.publisher.budget import Budget, MemoryBudgetStore
from brokertape.publisher.lane import LIVE, Lane
from brokertape.publisher.schedule import Schedule
from brokertape.publisher.snapshots import (
    LOST_AFTER_S,
    NO_RIGHTS_PAUSE_S,
    SNAPSHOT_LIMIT,
    SNAPSHOT_PACE,
    Snapshots,
)
from brokertape.publisher.volume_signal import VolumeSignal
from brokertape.publisher.window import Pace
from brokertape.simulator.virtual_time import VirtualClock, run_virtual

CODES = [f"HK.{number:05}" for number in range(1, 51)]


@dataclass
class Exchange:
    """A gateway that answers market snapshots as it is told to."""

    volumes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CODES, 100))
    suspended: set[str] = field(default_factory=set)
    asked: list[list[str]] = field(default_factory=list)
    refuse: Callable[[Sequence[str]], GatewayError | None] = lambda _: None

    async def market_snapshot(self, codes: Sequence[str]) -> list[SecuritySnapshot]:
        """What the test set, or its refusal."""
        self.asked.append(list(codes))
        if (error := self.refuse(codes)) is not None:
            raise error
        return [
            SecuritySnapshot(code, code, 100, 1.0, self.volumes[code], 1.0, code in self.suspended, 1, None)
            for code in codes
        ]


class Slow(MemoryBudgetStore):
    """A store that takes its time."""

    takes_s = 0.0

    async def reserve(self, request_id: str, guard_s: float, lane: Lane = LIVE) -> float:
        """After a while."""
        await self._clock.sleep(self.takes_s)
        return await super().reserve(request_id, guard_s, lane)


class Place:
    """Snapshots at work on some codes, every one seen once."""

    def __init__(self) -> None:
        self.clock = VirtualClock(0)
        self.exchange = Exchange()
        self.schedule = Schedule(CODES)
        self.store = Slow(self.clock, SNAPSHOT_LIMIT, 5.0)
        budget = Budget(self.store, self.clock, SNAPSHOT_LIMIT, 5.0, Pace(*SNAPSHOT_PACE))
        self.signal = VolumeSignal(self.schedule, self.clock)
        self.snapshots = Snapshots(cast("Gateway", self.exchange), budget, self.signal, self.schedule, self.clock)
        self.schedule.next_due(self.clock.monotonic_s())

    async def look(self, looks: int = 1) -> None:
        """So many looks, each in its time."""
        for _ in range(looks):
            await self.snapshots.look()
            await self.clock.sleep(self.snapshots.interval_s)

    @property
    def told(self) -> set[str]:
        """The codes whose trades are told."""
        return {view.code for view in self.schedule.views(self.clock.monotonic_s()) if view.trades_waiting is not None}

    @property
    def waiting(self) -> dict[str, int]:
        """The trades that wait, by code."""
        views = self.schedule.views(self.clock.monotonic_s())
        return {view.code: view.trades_waiting for view in views if view.trades_waiting}


def play(act: Callable[[Place], Awaitable[None]]) -> None:
    """Run `act` in virtual time."""

    async def main() -> None:
        await act(Place())

    run_virtual(main())


def test_all_codes_are_seen_every_second_and_their_trades_told() -> None:
    """Since a code was seen last it may have traded unheard: one trade each to begin with."""

    async def act(place: Place) -> None:
        await place.look()
        assert place.told == set(CODES)
        assert place.waiting == dict.fromkeys(CODES, 1)
        place.exchange.volumes[CODES[3]] += 100
        await place.look()
        await place.look()
        assert place.waiting == {**dict.fromkeys(CODES, 1), CODES[3]: 2}
        assert place.exchange.asked == [CODES] * 3

    play(act)


@pytest.mark.parametrize(
    "error", [TooManyCodes(-1, "x"), NoRights(-1, "x"), Refused(-1, "x")], ids=lambda error: type(error).__name__
)
def test_under_the_lowest_rights_twenty_are_asked_at_a_time(error: Refused) -> None:
    """Whatever the refusal says: nobody knows its text."""

    async def act(place: Place) -> None:
        place.exchange.refuse = lambda codes: error if len(codes) > 20 else None
        await place.look(5)
        assert [len(codes) for codes in place.exchange.asked] == [50, 20, 20, 10, 20]
        assert place.snapshots.interval_s == 0.5
        assert place.told == set(CODES)

    play(act)


def test_without_rights_the_schedule_goes_on_alone_and_they_are_tried_again() -> None:
    """Ten minutes later: another login may have taken them."""

    async def act(place: Place) -> None:
        await place.look()
        place.exchange.refuse = lambda _: NoRights(-1, "x")
        await place.look(60)
        assert place.told == set()
        assert len(place.exchange.asked) == 3
        place.exchange.refuse = lambda _: None
        await place.clock.sleep(NO_RIGHTS_PAUSE_S)
        await place.look(2)
        assert place.told == set(CODES)

    play(act)


@pytest.mark.parametrize("names_it", [True, False])
def test_one_unknown_code_is_found_and_left_out(names_it: bool) -> None:
    """It refuses all that are asked for with it."""
    text = f"未知股票 {CODES[37][3:]}" if names_it else "unknown stock"

    async def act(place: Place) -> None:
        place.exchange.refuse = lambda codes: UnknownCode(-1, text) if CODES[37] in codes else None
        await place.look(20)
        assert place.told == set(CODES) - {CODES[37]}
        assert len(place.exchange.asked[-1]) == 49

    play(act)


@pytest.mark.parametrize("error", [RequestTimeout("x"), OverBudget(-1, "x")], ids=lambda error: type(error).__name__)
def test_while_looks_fail_nobody_speaks_for_the_codes(error: GatewayError) -> None:
    """They are polled as without a signal, until looks come back."""

    async def act(place: Place) -> None:
        await place.look()
        place.exchange.refuse = lambda _: error
        await place.look(5)
        assert place.told == set(CODES)
        await place.clock.sleep(LOST_AFTER_S)
        await place.look()
        assert place.told == set()
        place.exchange.refuse = lambda _: None
        await place.clock.sleep(60)
        await place.look()
        assert place.told == set(CODES)

    play(act)


def test_a_halted_code_is_halted_in_the_schedule() -> None:
    """And asked again when it trades."""

    async def act(place: Place) -> None:
        place.exchange.suspended = {CODES[0]}
        await place.look()
        assert [view.code for view in place.schedule.views(0) if view.is_halted] == [CODES[0]]
        place.exchange.suspended = set()
        await place.look()
        assert not any(view.is_halted for view in place.schedule.views(0))

    play(act)


def test_a_halted_code_of_which_nobody_tells_any_more_is_asked_again() -> None:
    """Nobody would tell that it trades again."""

    async def act(place: Place) -> None:
        place.exchange.suspended = {CODES[0]}
        await place.look()
        place.exchange.refuse = lambda _: RequestTimeout("x")
        await place.look(30)
        assert not any(view.is_halted for view in place.schedule.views(0))

    play(act)


def test_a_rest_of_the_market_is_no_silence() -> None:
    """Nobody looks meanwhile; after it nothing is made up, and nothing has to be learnt anew."""

    async def act(place: Place) -> None:
        await place.look()
        for _ in range(12):
            if (code := place.schedule.pick(place.clock.monotonic_s())) is not None:
                place.schedule.result(code, place.clock.monotonic_s(), changed=True, rows=1)
            await place.clock.sleep(10)
        for _ in range(3_600):
            place.signal.rest()
            await place.clock.sleep(1)
        waiting = place.waiting
        await place.look(3)
        assert place.told == set(CODES)
        assert place.waiting == waiting

    play(act)


def test_as_many_as_ever_are_asked_for_again() -> None:
    """Rights come back, and one odd refusal is not for ever."""

    async def act(place: Place) -> None:
        place.exchange.refuse = lambda codes: NoRights(-1, "x") if len(codes) > 20 else None
        await place.look(10)
        place.exchange.refuse = lambda _: None
        await place.clock.sleep(NO_RIGHTS_PAUSE_S)
        await place.look(3)
        assert place.exchange.asked[-1] == CODES

    play(act)


def test_a_redis_that_is_slow_to_grant_costs_a_look() -> None:
    """A slot that came too late is not used, and the next look is as ever."""

    async def act(place: Place) -> None:
        await place.look()
        place.store.takes_s = 3.0
        await place.look()
        place.store.takes_s = 0.0
        await place.look()
        assert place.exchange.asked == [CODES] * 2

    play(act)
