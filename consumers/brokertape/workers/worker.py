"""A worker: one member of a consumer group, over every partition of a tape, or over the history stream."""

import asyncio
import logging
from typing import Generic

from redis.asyncio import RedisCluster

from brokertape.tape.connection import RedisClient
from brokertape.tape.errors import StoreError
from brokertape.tape.keys import Keys
from brokertape.tape.tasks import end_tasks, run_all
from brokertape.workers.channel import Channel
from brokertape.workers.counts import WorkerCounts, WorkerState
from brokertape.workers.delivery import BooksHandler, E, Handler
from brokertape.workers.desk import Desk
from brokertape.workers.errors import GroupLost
from brokertape.workers.group import Group
from brokertape.workers.joining import Joining
from brokertape.workers.lane import Lane
from brokertape.workers.leases import Leases, Tenure
from brokertape.workers.opening import Opening
from brokertape.workers.ordered_lane import OrderedLane, OrderedLanes
from brokertape.workers.ownership import Ownership
from brokertape.workers.positions import Positions
from brokertape.workers.settings import WorkerSettings
from brokertape.workers.settler import Settler

log = logging.getLogger("brokertape.workers")

LEAVE_TIMEOUT_S = 1.0


class Worker(Generic[E]):
    """Hands the events of a channel to `handler`, at least once each, and acknowledges them after it returned.

    Any number of workers share a group. In free order none waits for another: on one Redis (or a Sentinel's master)
    one lane reads all partitions in one call, one connection; a Cluster refuses a call over two slots, so there every
    partition has a lane of its own. In order, every partition has a lane of its own anyway, in the worker that owns it.

    Args:
        client: From `tape.connection.connect`: no retries of its own, a command timeout above `block_ms`.
        keys: The tape.
        channel: What to read: `TAPE` or `HISTORY`.
        handler: Makes the effect durable.
        books_handler: Takes the books that the start `baseline` begins with.
        positions: Where the group's progress is remembered, beside the effect.
        settings: Group, consumer name and limits.
        counts: To count into; the caller may read it meanwhile.
        state: To say how it stands; likewise.
    """

    def __init__(
        self,
        client: RedisClient,
        keys: Keys,
        channel: Channel[E],
        handler: Handler[E],
        *,
        positions: Positions,
        settings: WorkerSettings,
        books_handler: BooksHandler | None = None,
        counts: WorkerCounts | None = None,
        state: WorkerState | None = None,
    ) -> None:
        self._client = client
        self._keys = keys
        self._channel = channel
        self._handler = handler
        self._settings = settings
        self.counts = counts or WorkerCounts()
        self.state = state or WorkerState()
        self._streams = channel.streams(keys, settings.group)
        self._group = Group(client, keys, self._streams, settings.group, settings.consumer)
        opening = Opening(client, keys, books_handler) if books_handler and settings.begins_with_books else None
        self._joining = Joining(self._group, positions, opening, settings, self.counts, self.state)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then finish and acknowledge what is in hand, within `stop_timeout_s`.

        Raises:
            StoreRefused: Redis answers but will not let us (login, rights, a key of another type).
            SinkBroken: The handler can never make anything durable.
        """
        settler = Settler(self._group, self._channel, self._handler, self._settings, self.counts, self.state, stop)
        work = self._ordered(settler, stop) if self._settings.ordered else self._free(settler, stop)
        working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait([working], timeout=self._settings.stop_timeout_s)
            is_done = working.done()
        finally:
            await end_tasks([working, stopping])
        if is_done:
            working.result()
        else:
            log.warning("work in hand was dropped at the stop deadline; it will be delivered again")
        await self._leave()

    async def _free(self, settler: Settler[E], stop: asyncio.Event) -> None:
        desk = Desk(settler, self._settings, self.state)
        parts = self._lanes()
        lanes = [
            Lane(one, len(parts), self._group, self._joining, settler, desk, self._settings, self.counts, self.state)
            for one in parts
        ]

        async def read() -> None:
            await run_all(lane.follow(stop) for lane in lanes)
            desk.close()

        workers = (desk.work() for _ in range(self._settings.concurrency))
        await run_all([read(), desk.renew(self._group), *workers])

    def _lanes(self) -> list[list[int]]:
        partitions = range(len(self._streams))
        return [[one] for one in partitions] if isinstance(self._client, RedisCluster) else [list(partitions)]

    async def _ordered(self, settler: Settler[E], stop: asyncio.Event) -> None:
        settings = self._settings
        key = self._keys.private(f"leases:{self._channel.name}:{settings.group}")
        partitions = range(len(self._streams))
        shares = 1 if settings.undivided else len(partitions)
        leases = Leases(self._client, key, settings.consumer, shares, settings.lease_s)

        def make_lane(partition: int, tenure: Tenure) -> OrderedLane[E]:
            group, joining = self._group, self._joining
            return OrderedLane(partition, tenure, group, joining, settler, settings, self.counts, self.state)

        def make_lanes(tenure: Tenure) -> OrderedLanes[E]:
            ours = partitions if settings.undivided else [tenure.partition]
            return OrderedLanes(make_lane(partition, tenure) for partition in ours)

        await Ownership(leases, make_lanes, settings.lease_s, self.counts, self.state).hold(stop)

    async def _leave(self) -> None:
        """Leave the group if we hold nothing of it, so that names of workers long gone do not pile up."""
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT_S):
                for partition in range(len(self._streams)):
                    await self._group.sweep(partition, leaves=True)
        except (StoreError, GroupLost, TimeoutError) as error:
            log.info("could not leave the group: %s", str(error) or "no answer in time")
