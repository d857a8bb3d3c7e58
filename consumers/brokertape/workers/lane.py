"""One reader in free order: joins the group on its partitions, reads, and comes back after every loss."""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Generic

from brokertape.tape.backoff import LONGEST_S, backoff, is_set_within
from brokertape.tape.errors import StoreUnavailable
from brokertape.tape.tasks import run_all
from brokertape.workers.counts import WorkerCounts, WorkerState
from brokertape.workers.delivery import E
from brokertape.workers.desk import Desk
from brokertape.workers.errors import GroupLost, SinkUnavailable
from brokertape.workers.group import Group
from brokertape.workers.joining import Joining
from brokertape.workers.retry import Pending, idle, is_suspect
from brokertape.workers.settings import WorkerSettings
from brokertape.workers.settler import Settler

log = logging.getLogger("brokertape.workers")

_LOOKS_PER_PAUSE = 2  # how often, within the shortest pause, it looks for entries whose pause is over
_LOOKS_AT_LOST = 3  # in the time after which others would take an entry over
_QUIET_LOOK_S = 0.25  # how late it is noticed that something has failed
_FULL_LOOK_S = 0.25  # how late a stop is noticed while the desk is full


class Lane(Generic[E]):
    """Reads `partitions` in one XREADGROUP as long as there is room on the desk, which it shares with `lanes` in all.

    Beside it, the upkeep: entries that failed are delivered again when their pause is over, abandoned ones are claimed,
    the position is saved. Redis lost, the group lost, the sink away while joining: wait, and begin with joining again.
    """

    def __init__(
        self,
        partitions: Sequence[int],
        lanes: int,
        group: Group,
        joining: Joining,
        settler: Settler[E],
        desk: Desk[E],
        settings: WorkerSettings,
        counts: WorkerCounts,
        state: WorkerState,
    ) -> None:
        self._partitions = partitions
        self._lanes = lanes
        self._group = group
        self._joining = joining
        self._settler = settler
        self._desk = desk
        self._settings = settings
        self._counts = counts
        self._state = state

    async def follow(self, stop: asyncio.Event) -> None:
        """Read until `stop`."""
        trouble = f"partitions {self._partitions[0]} to {self._partitions[-1]} are not read"
        delays = backoff()
        while not stop.is_set():
            began = time.monotonic()
            self._state.begin(trouble, began)
            try:
                await self._joining.join(self._partitions)
                await self._resume()
                self._state.end(trouble)
                await self._work(stop)
            except (StoreUnavailable, GroupLost, SinkUnavailable) as error:
                if stop.is_set():
                    log.warning("%s; stopping all the same, unfinished work stays pending", error)
                    return
                if time.monotonic() - began > LONGEST_S:  # it had worked: this is a new trouble, not the old one
                    delays = backoff()
                delay_s = next(delays)
                self._counts.reconnects += 1
                log.warning("%s; joining the group again in %.1f s", error, delay_s)
                await is_set_within(stop, delay_s)

    async def _work(self, stop: asyncio.Event) -> None:
        """Read, and keep up, until `stop` or a loss."""
        await run_all([self._read_on(stop), self._keep_up(stop)])

    async def _read_on(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if await self._desk.has_room(_FULL_LOOK_S):
                count = max(1, self._desk.room // (len(self._partitions) * self._lanes))
                await self._desk.put(await self._group.read_new(self._partitions, count, self._settings.block_ms))

    async def _keep_up(self, stop: asyncio.Event) -> None:
        upkeep_at = 0.0
        while not stop.is_set():
            if time.monotonic() >= upkeep_at:
                await self._upkeep()
                upkeep_at = time.monotonic() + self._settings.upkeep_every_s
            await self._redeliver()
            look_s = self._settings.retry_first_s / _LOOKS_PER_PAUSE if self._left else _QUIET_LOOK_S
            await self._desk.look_again(min(look_s, _QUIET_LOOK_S, max(0.0, upkeep_at - time.monotonic())))

    @property
    def _left(self) -> list[int]:
        return [partition for partition in self._partitions if partition in self._desk.left]

    async def _upkeep(self) -> None:
        for partition in self._partitions:
            await self._claim(partition)
            # What was given to a connection of ours that is gone: ours, not in hand, and not just on its way to us.
            ours = idle(await self._group.pending(partition), self._desk.in_hand(partition))
            if any(one.idle_ms * _LOOKS_AT_LOST > self._settings.min_idle_ms for one in ours):
                self._desk.left.add(partition)
            await self._group.sweep(partition)
        await self._joining.save(self._partitions)

    async def _claim(self, partition: int) -> None:
        claimed = await self._group.claim(partition, self._settings.min_idle_ms)
        self._counts.claimed += claimed.count
        self._settler.count_trimmed(partition, claimed.trimmed)
        if claimed.count:
            log.info("claimed %d entries of partition %d that their worker abandoned", claimed.count, partition)
            self._desk.left.add(partition)

    async def _resume(self) -> None:
        """Begin with what this consumer left, but for what may have ended it: that comes alone, after its pause."""
        for partition in self._partitions:
            left = idle(await self._group.pending(partition), self._desk.in_hand(partition))
            await self._deliver(partition, [one for one in left if not is_suspect(one.deliveries)])
            self._desk.left.add(partition)

    async def _redeliver(self) -> None:
        """Have what is pending, and whose pause is over, delivered once more; of suspects one at a time."""
        for partition in self._left:
            self._desk.left.discard(partition)
            waiting = idle(await self._group.pending(partition), self._desk.in_hand(partition))
            due = [one for one in waiting if self._settings.pauses.is_over(one)]
            suspects = [one for one in due if is_suspect(one.deliveries)]
            run = [one for one in due if not is_suspect(one.deliveries)] or suspects[: not self._desk.has_suspect]
            if len(run) < len(waiting):
                self._desk.left.add(partition)
            await self._deliver(partition, run)

    async def _deliver(self, partition: int, pending: Sequence[Pending]) -> None:
        run = pending[: self._desk.room]
        if len(run) < len(pending):
            self._desk.left.add(partition)
        if run:
            delivered = await self._group.redeliver(partition, run)
            self._settler.count_trimmed(partition, delivered.trimmed)
            await self._desk.put(delivered.entries)
