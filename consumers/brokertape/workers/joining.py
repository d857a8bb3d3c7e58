"""A group's beginning on a partition, and how far it has come: joined, rebuilt when lost, remembered as it goes."""

import logging
from collections.abc import Sequence

from brokertape.tape.start import FIRST_ID, id_order
from brokertape.workers.counts import WorkerCounts, WorkerState
from brokertape.workers.group import Group, Standing
from brokertape.workers.opening import Opening
from brokertape.workers.positions import Positions, Verdict, judge
from brokertape.workers.settings import WorkerSettings

log = logging.getLogger("brokertape.workers")


class Joining:
    """Joins the group and keeps its position saved.

    Raises StoreError, GroupLost, and what the positions and the handler of books raise.
    """

    def __init__(
        self,
        group: Group,
        positions: Positions,
        opening: Opening | None,
        settings: WorkerSettings,
        counts: WorkerCounts,
        state: WorkerState,
    ) -> None:
        self._group = group
        self._positions = positions
        self._opening = opening
        self._settings = settings
        self._counts = counts
        self._state = state
        self._saved: dict[int, str] = {}
        self._joined: set[int] = set()

    async def join(self, partitions: Sequence[int]) -> None:
        """See that there is a group on every one of `partitions` that misses nothing."""
        await self._group.check_tape()
        self._saved |= await self._positions.load()
        for partition in partitions:
            # A group we have seen is lost when it is gone, whether or not its position was ever saved.
            await self._join(partition, self._saved.get(partition, FIRST_ID if partition in self._joined else None))
            self._joined.add(partition)

    async def _join(self, partition: int, saved: str | None) -> None:
        match judge(await self._group.standing(partition), saved):
            case Verdict.FIRST:
                await self._begin(partition)
            case Verdict.LOST:
                await self._rebuild(partition, saved or FIRST_ID)
            case Verdict.ROLLED_BACK:
                self._counts.rollbacks += 1
                log.warning(
                    "Redis lost the end of partition %d: its stream lies behind our position %s", partition, saved
                )
            case Verdict.AHEAD:
                self._counts.rollbacks += 1
                log.warning("the group lies beyond the stream of partition %d: reading it from its start", partition)
                await self._group.move(partition, FIRST_ID)
            case Verdict.FINE:
                pass

    async def _begin(self, partition: int) -> None:
        if self._opening is not None:
            after_id = await self._opening.open(partition)
        elif self._settings.since is not None:
            # Beyond the end of the stream a group would look as if the stream had been lost.
            after_id = min(self._settings.after_id, await self._group.last_id(partition), key=id_order)
        else:
            after_id = self._settings.after_id
        await self._group.create(partition, after_id)

    async def _rebuild(self, partition: int, saved: str) -> None:
        """Without the saved entry this is another stream, or all that is left is younger: take all there is, again."""
        after_id = saved if await self._group.has_entry(partition, saved) else FIRST_ID
        self._counts.groups_lost += 1
        log.warning("the consumer group of partition %d was lost: rebuilding it after entry %s", partition, after_id)
        await self._group.create(partition, after_id)

    async def save(self, partitions: Sequence[int]) -> None:
        """Remember how far the group has come: only where it holds nothing unfinished.

        Up to there every effect of all its members is durable.
        """
        reached: dict[int, str] = {}
        for partition in partitions:
            standing = await self._group.standing(partition)
            if standing is None:
                continue
            self._note(partition, standing)
            if standing.pending == 0 and standing.last_delivered != self._saved.get(partition):
                reached[partition] = standing.last_delivered
        if reached:
            await self._positions.save(reached)
            self._saved |= reached

    def _note(self, partition: int, standing: Standing) -> None:
        self._state.lags[partition] = standing.lag
        self._state.pending[partition] = standing.pending
