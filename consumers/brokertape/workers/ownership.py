"""Ordered mode: the partitions that are ours, each with a lane of its own for as long as it is."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from brokertape.tape.errors import StoreUnavailable
from brokertape.tape.tasks import end_tasks
from brokertape.workers.counts import WorkerCounts, WorkerState
from brokertape.workers.leases import Grant, Leases, Tenure, lease_clock

log = logging.getLogger("brokertape.workers")

RENEWALS = 3  # in the time of one lease: two may fail
SHORTEST_CALL_S = 0.05
NO_LEASES = "leases cannot be renewed"


class FollowsUntil(Protocol):
    """What works on a partition."""

    async def follow(self, stop: asyncio.Event) -> None:
        """Work until `stop`, or until the lease has ended."""


MakeLane = Callable[[Tenure], FollowsUntil]


@dataclass(slots=True)
class Holding:
    """A partition that is ours and the lane that works on it. `stop` asks the lane to finish and give up."""

    tenure: Tenure
    stop: asyncio.Event
    lane: "asyncio.Task[None]" = field(repr=False)


class Ownership:
    """Keeps leases and lanes in step: gained, a lane starts; too many, some finish and are given up; lost, it is cut.

    Args:
        leases: The seam.
        make_lane: A lane for a partition that was gained.
        lease_s: How long a lease lasts unless it is renewed.
        counts: To count into.
        state: To say what is owned.
    """

    def __init__(
        self, leases: Leases, make_lane: MakeLane, lease_s: float, counts: WorkerCounts, state: WorkerState
    ) -> None:
        self._leases = leases
        self._make_lane = make_lane
        self._lease_s = lease_s
        self._counts = counts
        self._state = state
        self._held: dict[int, Holding] = {}
        self._cut: dict[int, asyncio.Task[None]] = {}

    async def hold(self, stop: asyncio.Event) -> None:
        """Own and work until `stop`; then let every lane finish, and give all up.

        Raises:
            StoreRefused, SinkBroken: As `Worker.run`.
        """
        stopping = asyncio.create_task(stop.wait())
        try:
            while not (stop.is_set() and self._is_idle):
                if stop.is_set():
                    self._ask_to_finish()
                await self._attend(takes_more=not stop.is_set())
                await self._wait([] if stop.is_set() else [stopping])
                self._cut_lost()
            await self._leave()
        finally:
            await end_tasks([stopping, *(holding.lane for holding in self._held.values()), *self._cut.values()])

    @property
    def _is_idle(self) -> bool:
        return all(holding.lane.done() for holding in self._held.values())

    @property
    def _left_s(self) -> float:
        """How long all that is held is still ours for certain."""
        return min((holding.tenure.left_s for holding in self._held.values()), default=self._lease_s)

    async def _attend(self, *, takes_more: bool) -> None:
        """Renew and take; a Redis that is away leaves us what we have, until it runs out."""
        given_up = self._ended()
        asked_at = lease_clock()
        try:
            async with asyncio.timeout(min(self._lease_s / RENEWALS, max(self._left_s, SHORTEST_CALL_S))):
                grant = await self._leases.attend(given_up, takes_more=takes_more)
        except (StoreUnavailable, TimeoutError) as error:
            self._state.begin(NO_LEASES, time.monotonic())
            log.warning("leases not renewed: %s", str(error) or "no answer in time")
            return
        self._state.end(NO_LEASES)
        for partition in given_up:
            del self._held[partition]
        self._follow(grant, asked_at + self._lease_s)

    def _ended(self) -> list[int]:
        """Partitions whose lane has finished. One that failed fails us."""
        ended = [partition for partition, holding in self._held.items() if holding.lane.done()]
        for partition in ended:
            self._held[partition].lane.result()
        return ended

    def _follow(self, grant: Grant, valid_until: float) -> None:
        for partition, holding in self._held.items():
            is_ours = grant.tokens.get(partition) == holding.tenure.token
            holding.tenure.valid_until = valid_until if is_ours else 0.0  # the leases were lost: it is cut at once
        self._cut_lost()
        for partition, token in grant.tokens.items():
            # One whose old lane is not over yet starts anew at a later renewal.
            if partition not in self._held and self._has_cut_ended(partition):
                self._start(Tenure(partition, token, valid_until))
        kept = sorted(partition for partition, holding in self._held.items() if not holding.stop.is_set())
        for partition in kept[grant.share :]:
            log.info("giving up partition %d: there are more workers now", partition)
            self._held[partition].stop.set()
        self._note()

    def _note(self) -> None:
        """Say what is ours."""
        self._state.owned = tuple(sorted(self._held))
        self._state.token = max((holding.tenure.token for holding in self._held.values()), default=None)

    def _has_cut_ended(self, partition: int) -> bool:
        return partition not in self._cut or self._cut[partition].done()

    def _start(self, tenure: Tenure) -> None:
        log.info("partition %d is ours, token %d", tenure.partition, tenure.token)
        stop = asyncio.Event()
        lane = asyncio.create_task(self._make_lane(tenure).follow(stop))
        self._held[tenure.partition] = Holding(tenure, stop, lane)

    async def _wait(self, others: Sequence["asyncio.Task[Any]"]) -> None:
        """Until it is time to renew, a lease may be over, or a lane or one of `others` has ended."""
        awaited = [*others, *(holding.lane for holding in self._held.values() if not holding.lane.done())]
        pause_s = max(0.0, min(self._lease_s / RENEWALS, self._left_s))
        if awaited:
            await asyncio.wait(awaited, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)

    def _cut_lost(self) -> None:
        """A lease that may be over is somebody else's: what runs under it is cancelled where it stands."""
        for partition, holding in list(self._held.items()):
            if not holding.tenure.is_valid:
                log.warning("partition %d is no longer ours for certain: its lane is cut", partition)
                self._counts.leases_lost += 1
                holding.lane.cancel()
                self._cut[partition] = holding.lane
                del self._held[partition]
                self._note()

    def _ask_to_finish(self) -> None:
        for holding in self._held.values():
            holding.stop.set()

    async def _leave(self) -> None:
        """Pass on what is ours, so that nobody has to wait for it to run out."""
        self._ended()
        self._state.owned, self._state.token = (), None
        try:
            await self._leases.leave()
        except StoreUnavailable as error:
            log.warning("leases not given up, they will run out: %s", error)
