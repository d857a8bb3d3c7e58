"""One reader: joins the group on its partitions, reads, and comes back after every loss."""

import asyncio
import logging
import time
from collections.abc import Sequence
from itertools import takewhile

from brokertape.tape.backoff import LONGEST_S, backoff, is_set_within
from brokertape.tape.errors import StoreUnavailable
from brokertape.tape.start import FIRST_ID
from brokertape.workers.counts import WorkerCounts
from brokertape.workers.desk import Desk
from brokertape.workers.errors import GroupLost, SinkUnavailable
from brokertape.workers.group import Group, Pending
from brokertape.workers.positions import Positions, Verdict, judge
from brokertape.workers.settings import WorkerSettings

log = logging.getLogger("brokertape.workers")


class Lane:
    """Reads `partitions` in one XREADGROUP and settles what it reads before it reads on: at most one read in hand.

    A round is: own pending entries first, then new ones; every `upkeep_every_s` claim what others left behind and
    save the position. Redis lost, the group lost, the sink away while joining: wait, and begin with joining again.
    """

    def __init__(
        self,
        partitions: Sequence[int],
        group: Group,
        desk: Desk,
        positions: Positions,
        settings: WorkerSettings,
        counts: WorkerCounts,
    ) -> None:
        self._partitions = partitions
        self._group = group
        self._desk = desk
        self._positions = positions
        self._settings = settings
        self._counts = counts
        self._saved: dict[int, str] = {}
        self._upkeep_at = 0.0

    async def follow(self, stop: asyncio.Event) -> None:
        """Read and settle until `stop`; what was read by then is settled first."""
        delays = backoff()
        while not stop.is_set():
            began = time.monotonic()
            try:
                await self._join()
                await self._drain(self._partitions, stop)
                await self._read_on(stop)
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

    async def _join(self) -> None:
        await self._group.check_tape()
        self._saved = dict(await self._positions.load())
        for partition in self._partitions:
            await self._join_partition(partition, self._saved.get(partition))
        self._upkeep_at = 0.0

    async def _join_partition(self, partition: int, saved: str | None) -> None:
        match judge(await self._group.standing(partition), saved):
            case Verdict.FIRST:
                await self._group.create(partition, self._settings.start.after_id)
            case Verdict.LOST:
                await self._rebuild(partition, saved or FIRST_ID)
            case Verdict.ROLLED_BACK:
                self._counts.rollbacks += 1
                log.warning(
                    "Redis lost the end of partition %d: its tape lies behind our position %s", partition, saved
                )
            case Verdict.AHEAD:
                self._counts.rollbacks += 1
                log.warning("the group lies beyond the tape of partition %d: reading it from its start", partition)
                await self._group.move(partition, FIRST_ID)
            case Verdict.FINE:
                pass

    async def _rebuild(self, partition: int, saved: str) -> None:
        """Without the saved entry this is another tape, or all that is left is younger: take all there is, again."""
        after_id = saved if await self._group.has_entry(partition, saved) else FIRST_ID
        self._counts.groups_lost += 1
        log.warning("the consumer group of partition %d was lost: rebuilding it after entry %s", partition, after_id)
        await self._group.create(partition, after_id)

    async def _read_on(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if time.monotonic() >= self._upkeep_at:
                await self._claim(stop)
                await self._save_positions()
                self._upkeep_at = time.monotonic() + self._settings.upkeep_every_s
            entries = await self._group.read_new(self._partitions, self._settings.read_count, self._settings.block_ms)
            await self._desk.settle(entries)

    async def _claim(self, stop: asyncio.Event) -> None:
        for partition in self._partitions:
            claimed = await self._group.claim(partition, self._settings.min_idle_ms)
            self._counts.claimed += claimed.count
            self._counts.trimmed += len(claimed.trimmed)
            if claimed.trimmed:
                log.warning("partition %d lost entries to trimming: %s", partition, ", ".join(claimed.trimmed))
            if claimed.count:
                await self._drain([partition], stop)

    async def _drain(self, partitions: Sequence[int], stop: asyncio.Event) -> None:
        """Have this consumer's pending entries delivered once more."""
        for partition in partitions:
            after_id = FIRST_ID
            while not stop.is_set():
                pending = await self._group.pending(partition, after_id, self._settings.batch_size)
                run = next_run(pending)
                if not run:
                    break
                await self._desk.settle(await self._group.read_pending(partition, after_id, run))
                after_id = run[-1].entry_id

    async def _save_positions(self) -> None:
        """Only where the group holds nothing unfinished: up to there every effect of all its members is durable."""
        reached: dict[int, str] = {}
        for partition in self._partitions:
            standing = await self._group.standing(partition)
            if standing is not None and standing.pending == 0 and standing.last_delivered != self._saved.get(partition):
                reached[partition] = standing.last_delivered
        if reached:
            await self._positions.save(reached)
            self._saved |= reached


def next_run(pending: Sequence[Pending]) -> Sequence[Pending]:
    """The pending entries to deliver next: many that came once, or a single one that came more often.

    An entry that ends its workers takes the rest of its batch with it; delivered alone, it alone is counted up.
    """
    if pending and pending[0].deliveries > 1:
        return pending[:1]
    return list(takewhile(lambda one: one.deliveries <= 1, pending))
