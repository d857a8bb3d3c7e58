"""What happens to entries once they are in hand: decoded, handled, acknowledged, or buried."""

import asyncio
import logging
from collections.abc import Sequence

from brokertape.tape.backoff import backoff, is_set_within
from brokertape.workers.counts import WorkerCounts
from brokertape.workers.delivery import Delivery, Entry, Handler
from brokertape.workers.errors import SinkBroken, SinkUnavailable
from brokertape.workers.group import Group
from brokertape.workers.intake import Hopeless, Trimmed, Unknown, examine
from brokertape.workers.settings import WorkerSettings

log = logging.getLogger("brokertape.workers")


class Desk:
    """Takes the entries a lane read and settles each: acknowledged, dead-lettered, or left pending for a later try.

    An entry is acknowledged only after the handler returned. `stop` ends the waiting for a sink that is away.
    """

    def __init__(
        self, group: Group, handler: Handler, settings: WorkerSettings, counts: WorkerCounts, stop: asyncio.Event
    ) -> None:
        self._group = group
        self._handler = handler
        self._settings = settings
        self._counts = counts
        self._stop = stop

    async def settle(self, entries: Sequence[Entry]) -> None:
        """Settle `entries`, in the order given."""
        deliveries: list[Delivery] = []
        skipped: list[Entry] = []
        for entry in entries:
            match examine(entry, self._settings.max_attempts):
                case Delivery() as delivery:
                    deliveries.append(delivery)
                case Hopeless(error=error):
                    await self._bury(entry, error)
                case Trimmed() | Unknown() as reason:
                    self._count_skipped(reason)
                    skipped.append(entry)
        await self._group.acknowledge(skipped)
        for start in range(0, len(deliveries), self._settings.batch_size):
            await self._hand_over(deliveries[start : start + self._settings.batch_size])

    def _count_skipped(self, reason: Trimmed | Unknown) -> None:
        partition, entry_id = reason.entry.partition, reason.entry.entry_id
        if isinstance(reason, Trimmed):
            self._counts.trimmed += 1
            log.warning("entry %s of partition %d was trimmed before it was handled", entry_id, partition)
        else:
            self._counts.unknown += 1
            log.info("skipped entry %s of partition %d: its type is unknown here", entry_id, partition)

    async def _hand_over(self, batch: Sequence[Delivery]) -> None:
        failure = await self._handle(batch)
        if failure is None:
            await self._group.acknowledge([delivery.entry for delivery in batch])
            self._counts.handled += len(batch)
        elif len(batch) == 1:
            await self._blame(batch[0].entry, failure)
        else:
            log.warning("a batch of %d failed (%s): handling its entries one by one", len(batch), describe(failure))
            for delivery in batch:
                await self._hand_over([delivery])

    async def _handle(self, batch: Sequence[Delivery]) -> Exception | None:
        """The handler's failure, if any. A sink that is away is waited for; at stop, its SinkUnavailable is raised."""
        delays = backoff()
        while True:
            try:
                await self._handler(batch)
            except SinkBroken:
                raise
            except SinkUnavailable as error:
                delay_s = next(delays)
                self._counts.sink_waits += 1
                log.warning("%s; trying the same batch again in %.1f s", error, delay_s)
                if await is_set_within(self._stop, delay_s):
                    raise
            except Exception as error:  # the handler is not ours: what it raises is held against its entries
                return error
            else:
                return None

    async def _blame(self, entry: Entry, failure: Exception) -> None:
        self._counts.failed += 1
        if entry.attempts >= self._settings.max_attempts:
            await self._bury(entry, describe(failure))
            return
        # It stays pending: once it lay idle long enough, some worker of the group claims it and tries again.
        log.warning(
            "entry %s of partition %d failed, attempt %d of %d: %s",
            *(entry.entry_id, entry.partition, entry.attempts, self._settings.max_attempts, describe(failure)),
            exc_info=failure,
        )

    async def _bury(self, entry: Entry, error: str) -> None:
        if await self._group.bury(entry, error, self._settings.max_dead):
            self._counts.dead += 1
            log.error("entry %s of partition %d went to the dead letters: %s", entry.entry_id, entry.partition, error)


def describe(failure: Exception) -> str:
    """A failure in one line, as logs and dead letters say it."""
    return " ".join(f"{type(failure).__name__}: {failure}".split())
