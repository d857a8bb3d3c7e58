"""The publisher: one loop that spends the budget, and slow ones that keep it informed.

Crash-only. The book in Redis is the only memory, so there is nothing to save on the way out and nothing to recover
on the way in: what the schedule has learnt is kept beside it, and can be learnt again. An error no loop knows how to
live with ends the process; whoever runs it starts it again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from brokertape.gateway.errors import GatewayError
from brokertape.gateway.port import Gateway
from brokertape.publisher.budget import Budget
from brokertape.publisher.clock import Clock
from brokertape.publisher.complaints import Complaints
from brokertape.publisher.gateway_watch import GatewayWatch
from brokertape.publisher.halts import Halts
from brokertape.publisher.leases import LEASE_S
from brokertape.publisher.poll import Poller
from brokertape.publisher.polling import Polling
from brokertape.publisher.presence import Presence
from brokertape.publisher.roster import Roster
from brokertape.publisher.schedule import Schedule
from brokertape.publisher.stores import Stores
from brokertape.publisher.upkeep import Upkeep
from brokertape.publisher.volume_signal import News, VolumeSignal, VolumeSource
from brokertape.tape.errors import StoreError
from brokertape.tape.tasks import end_tasks

logger = logging.getLogger("brokertape.publisher")


@dataclass(frozen=True, slots=True)
class Intervals:
    """How often the slow loops look, in seconds.

    `unready_s` is for a gateway that is away or not logged in; `stop_s` bounds how long polls in flight are awaited
    at the end.
    """

    state_s: float = 2.0
    unready_s: float = 0.5
    watch_s: float = 1.0
    watermark_s: float = 5.0
    lease_s: float = LEASE_S / 3
    trim_s: float = 60.0
    sweep_s: float = 60.0
    why_s: float = 5.0
    save_s: float = 60.0
    stop_s: float = 6.0


class Publisher:
    """Polls what operators watch and live subscribers ask for, or its part of it, and keeps the tape.

    Args:
        name: Of this publisher, one of a kind among those on the tape.
        gateway: Who is asked.
        gateway_name: What the feed calls it.
        poller: Makes the polls.
        budget: What they are spent from: its account's.
        schedule: Which code is next; it begins with all that the account has room for.
        signal: What volumes say to the schedule.
        sources: Who finds out about volumes; without any, codes are polled by what was learnt of them.
        stores: What is kept on Redis.
        clock: The schedule's.
        intervals: How often it looks at what.
    """

    def __init__(
        self,
        *,
        name: str,
        gateway: Gateway,
        gateway_name: str,
        poller: Poller,
        budget: Budget,
        schedule: Schedule,
        signal: VolumeSignal,
        sources: Sequence[VolumeSource] = (),
        stores: Stores,
        clock: Clock,
        intervals: Intervals | None = None,
    ) -> None:
        self._name = name
        self._poller = poller
        self._schedule = schedule
        self._signal = signal
        self._sources = sources
        self._stores = stores
        self._clock = clock
        self._intervals = intervals or Intervals()
        self._complaints = complaints = Complaints(logger)
        self._gateway = GatewayWatch(gateway, gateway_name, schedule, stores.feed, clock)
        self._presence = Presence(stores.leases, budget, schedule.budget_per_s, clock)
        self._polling = Polling(
            gateway=self._gateway,
            budget=budget,
            schedule=schedule,
            poller=poller,
            presence=self._presence,
            feed=stores.feed,
            clock=clock,
            complaints=complaints,
        )
        self._roster = Roster(
            name=name,
            budget=budget,
            schedule=schedule,
            poller=poller,
            stores=stores,
            clock=clock,
            complaints=complaints,
            signal=signal if sources else None,
        )
        self._halts = Halts(schedule, stores.feed)
        self._upkeep = Upkeep(name, schedule, poller, stores, clock)
        signal.on_news = self._hear

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop`; then let the polls in flight end, and say goodbye."""
        await self._stores.feed.load({peer.publisher for peer in await self._stores.leases.read()})
        await self._upkeep.recall()
        await self._stores.feed.status("publisher", self._name, "joined")
        try:
            async with asyncio.TaskGroup() as tasks:
                loops = [tasks.create_task(loop) for loop in self._loops(tasks)]
                try:
                    await stop.wait()
                finally:  # one that failed ends the others, even if a library swallows their first cancellation
                    await end_tasks(loops)
                await self._polling.finish(self._intervals.stop_s)
            await self._upkeep.save_at_end()
        finally:
            logger.info("what came of the polls: %s", self._poller.counts)
            await self._leave()

    def _loops(self, tasks: asyncio.TaskGroup) -> Iterator[Coroutine[Any, Any, None]]:
        every, upkeep = self._intervals, self._upkeep
        yield self._polling.spend(tasks, every.unready_s)
        yield self._repeat("lease", lambda: every.lease_s, self._renew_lease)
        yield self._repeat("watch list", lambda: every.watch_s, self._look_at_watch_list)
        yield self._repeat(
            "gateway state", lambda: every.state_s if self._gateway.can_poll else every.unready_s, self._look_at_gateway
        )
        yield self._repeat("halted codes", lambda: every.watch_s, self._halts.tell)
        for source in self._sources:
            look = partial(self._look_at_volumes, source)
            yield self._repeat(source.name, partial(getattr, source, "interval_s"), look)
        yield self._repeat("watermark", lambda: every.watermark_s, upkeep.send_watermark)
        yield self._repeat("what is written once", lambda: every.watermark_s, upkeep.restore)
        yield self._repeat("why codes are asked", lambda: every.why_s, upkeep.tell_why)
        yield self._repeat("what was learnt", lambda: every.save_s, upkeep.save)
        yield self._repeat("retention", lambda: every.trim_s, upkeep.trim)
        yield self._repeat("sweep of interest", lambda: every.sweep_s, upkeep.sweep_interest)

    async def _repeat(self, name: str, interval_s: Callable[[], float], work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
                self._complaints.content(name)
            except (StoreError, GatewayError) as error:
                self._complaints.complain(name, error)
            await self._clock.sleep(interval_s())

    async def _look_at_gateway(self) -> None:
        could_poll = self._gateway.can_poll
        if await self._gateway.look():
            self._polling.wake()
        if self._gateway.can_poll and not could_poll:
            await self._renew_lease()
            await self._look_at_watch_list()  # its part is known before the others have let go of it
            self._polling.wake()

    async def _renew_lease(self) -> None:
        await self._presence.renew(can_poll=self._gateway.can_poll)

    async def _look_at_watch_list(self) -> None:
        known = self._schedule.codes
        try:
            await self._roster.look()
        finally:
            if self._schedule.codes - known:
                self._polling.wake()

    async def _look_at_volumes(self, source: VolumeSource) -> None:
        if self._schedule.is_resting:
            self._signal.rest()
        elif self._gateway.can_poll:
            await source.look()

    def _hear(self, news: News) -> None:
        self._halts.hear(news)
        self._polling.wake()

    async def _leave(self) -> None:
        try:
            if await self._presence.end():
                await self._stores.feed.status("publisher", self._name, "left")
        except StoreError as error:
            logger.warning("could not say goodbye: %s", error)
