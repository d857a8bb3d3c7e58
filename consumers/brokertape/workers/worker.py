"""A worker: one member of a consumer group, over every partition of a tape."""

import asyncio
import logging
from collections.abc import Sequence

from redis.asyncio import RedisCluster

from brokertape.tape.connection import RedisClient
from brokertape.tape.keys import Keys
from brokertape.tape.tasks import end_tasks
from brokertape.workers.counts import WorkerCounts
from brokertape.workers.delivery import Handler
from brokertape.workers.desk import Desk
from brokertape.workers.group import Group
from brokertape.workers.lane import Lane
from brokertape.workers.positions import Positions
from brokertape.workers.settings import WorkerSettings

log = logging.getLogger("brokertape.workers")


class Worker:
    """Hands the events of a tape to `handler`, at least once each, and acknowledges them after it returned.

    Any number of workers share a group; none waits for another. On one Redis (or a Sentinel's master) one lane
    reads all partitions in one call: as quick as one stream, one connection. A Cluster refuses a call over two
    slots, so there every partition has a lane of its own; all else is the same code.

    Args:
        client: From `tape.connection.connect`: no retries of its own, a command timeout above `block_ms`.
        keys: The tape.
        handler: Makes the effect durable.
        positions: Where the group's progress is remembered, beside the effect.
        settings: Group, consumer name and limits.
        counts: To count into; the caller may read it meanwhile.
    """

    def __init__(
        self,
        client: RedisClient,
        keys: Keys,
        handler: Handler,
        *,
        positions: Positions,
        settings: WorkerSettings,
        counts: WorkerCounts | None = None,
    ) -> None:
        self._group = Group(client, keys, settings.group, settings.consumer)
        self._handler = handler
        self._positions = positions
        self._settings = settings
        self._lanes = _lanes(keys.partitions, is_cluster=isinstance(client, RedisCluster))
        self.counts = counts or WorkerCounts()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then finish and acknowledge what is in hand, within `stop_timeout_s`.

        Raises:
            StoreRefused: Redis answers but will not let us (login, rights, a key of another type).
            SinkBroken: The handler can never make anything durable.
        """
        lanes = [asyncio.create_task(self._lane(partitions, stop).follow(stop)) for partitions in self._lanes]
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([*lanes, stopping], return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                await asyncio.wait(lanes, timeout=self._settings.stop_timeout_s)
        finally:
            await end_tasks([*lanes, stopping])
        failures = [lane.exception() for lane in lanes if not lane.cancelled()]
        for failure in failures:
            if failure is not None:
                raise failure
        if len(failures) < len(lanes):
            log.warning("work in hand was dropped at the stop deadline; it will be delivered again")

    def _lane(self, partitions: Sequence[int], stop: asyncio.Event) -> Lane:
        desk = Desk(self._group, self._handler, self._settings, self.counts, stop)
        return Lane(partitions, self._group, desk, self._positions, self._settings, self.counts)


def _lanes(partitions: int, *, is_cluster: bool) -> list[list[int]]:
    return [[partition] for partition in range(partitions)] if is_cluster else [list(range(partitions))]
