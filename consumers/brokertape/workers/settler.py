"""What happens to entries once they are in hand: decoded, handled, acknowledged, or buried."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from typing import Generic

from brokertape.tape.backoff import backoff, is_set_within
from brokertape.tape.errors import StoreError
from brokertape.workers.channel import Channel
from brokertape.workers.counts import WorkerCounts, WorkerState
from brokertape.workers.delivery import Delivery, E, Entry, Handler
from brokertape.workers.errors import GroupLost, SinkBroken, SinkUnavailable
from brokertape.workers.group import Group
from brokertape.workers.intake import Hopeless, examine
from brokertape.workers.settings import WorkerSettings

log = logging.getLogger("brokertape.workers")

SINK_AWAY = "the sink does not answer"
_DECODED_AT_ONCE = 64  # then others have their turn: decoding 2000 entries takes a fifth of a second


class TooSlow(Exception):
    """Raised when a call of the handler was cancelled at its time limit."""


class NotOurs(Exception):
    """Raised instead of a call of the handler when the partition may be somebody else's by now."""


class Settler(Generic[E]):
    """Settles entries: each is acknowledged, dead-lettered, or left pending for a later try.

    An entry is acknowledged only after the handler returned. At most `concurrency` calls of the handler overlap,
    whoever asks. `stop` ends the waiting for a sink that is away.
    """

    def __init__(
        self,
        group: Group,
        channel: Channel[E],
        handler: Handler[E],
        settings: WorkerSettings,
        counts: WorkerCounts,
        state: WorkerState,
        stop: asyncio.Event,
    ) -> None:
        self._group = group
        self._channel = channel
        self._handler = handler
        self._settings = settings
        self._counts = counts
        self._state = state
        self._stop = stop
        self._turns = asyncio.Semaphore(settings.concurrency)
        self._call_ids = count()

    async def examine(self, entries: Sequence[Entry], fence: int | None = None) -> list[Delivery[E]]:
        """What of `entries` is to be handled; the rest is settled at once."""
        deliveries: list[Delivery[E]] = []
        skipped: list[Entry] = []
        for number, entry in enumerate(entries, start=1):
            examined = examine(entry, self._channel, self._settings.max_attempts, fence)
            if isinstance(examined, Delivery):
                deliveries.append(examined)
            elif isinstance(examined, Hopeless):
                await self._bury(entry, examined.error)
            else:
                self._counts.unknown += 1
                log.info("skipped entry %s: its type is unknown here", place(entry))
                skipped.append(entry)
            if number % _DECODED_AT_ONCE == 0:
                await asyncio.sleep(0)
        await self._group.acknowledge(skipped)
        return deliveries

    def count_trimmed(self, partition: int, entry_ids: Sequence[str]) -> None:
        """These were cut off the stream while they were pending: lost."""
        self._counts.trimmed += len(entry_ids)
        if entry_ids:
            log.warning("partition %d lost entries to trimming: %s", partition, ", ".join(entry_ids))

    async def settle(self, batch: Sequence[Delivery[E]], may_go_on: Callable[[], bool] = lambda: True) -> bool:
        """Settle a batch; False if something of it stays pending: what failed or, when in order, all behind it.

        Args:
            batch: At most `batch_size` deliveries.
            may_go_on: Asked before every call of the handler, and before a failure of it is held against an entry:
                whether the partition is still ours.
        """
        try:
            failure = await self._handle(batch, may_go_on)
        except NotOurs:
            return False
        if failure is None:
            await self._group.acknowledge([delivery.entry for delivery in batch])
            self._counts.handled += len(batch)
            return True
        if not may_go_on():  # it is the next owner's to blame, who may have it in hand
            return False
        if len(batch) == 1:
            return await self._blame(batch[0].entry, failure)
        if isinstance(failure, TooSlow):  # one by one each could take as long: they are delivered alone next time
            log.warning("a batch of %d: %s", len(batch), describe(failure))
            return False
        log.warning("a batch of %d failed (%s): handling its entries one by one", len(batch), describe(failure))
        return await self._settle_alone(batch, may_go_on)

    async def _settle_alone(self, batch: Sequence[Delivery[E]], may_go_on: Callable[[], bool]) -> bool:
        is_settled = True
        for delivery in batch:
            is_settled &= await self.settle([delivery], may_go_on)
            if not is_settled and self._settings.ordered:
                break
        return is_settled

    async def _handle(self, batch: Sequence[Delivery[E]], may_go_on: Callable[[], bool]) -> Exception | None:
        """The handler's failure, if any. A sink that is away is waited for; at stop, its SinkUnavailable is raised."""
        delays = backoff()
        try:
            while True:
                try:
                    await self._call(batch, may_go_on)
                except NotOurs:
                    raise
                except Exception as error:  # the handler is not ours: what it raises is held against its entries
                    trouble = sink_trouble(error)
                    if trouble is None:
                        return error
                    if isinstance(trouble, SinkBroken):
                        await self._uncount(batch)
                        raise trouble from error
                    if not may_go_on():
                        raise NotOurs from error
                    await self._wait_for_sink(batch, trouble, next(delays))
                else:
                    return None
        finally:
            self._state.end(SINK_AWAY)

    async def _uncount(self, batch: Sequence[Delivery[E]]) -> None:
        """However often a worker ends, or is killed, while its sink is of no use, no entry comes nearer to burial."""
        with suppress(StoreError, GroupLost):
            await self._group.uncount([delivery.entry for delivery in batch])

    async def _wait_for_sink(self, batch: Sequence[Delivery[E]], error: SinkUnavailable, delay_s: float) -> None:
        self._state.begin(SINK_AWAY, time.monotonic())
        self._counts.sink_waits += 1
        log.warning("%s; trying the same batch again in %.1f s", error, delay_s)
        await self._uncount(batch)
        if self._stop.is_set() or await is_set_within(self._stop, delay_s):
            raise error

    async def _call(self, batch: Sequence[Delivery[E]], may_go_on: Callable[[], bool]) -> None:
        limit_s = self._settings.handler_timeout_s
        async with self._turns:
            if not may_go_on():
                raise NotOurs
            with self._counted():
                try:
                    async with asyncio.timeout(limit_s) as limit:
                        await self._run_handler(batch)
                except TimeoutError as error:
                    if limit.expired():
                        raise TooSlow(f"the handler took longer than {limit_s:g} s") from error
                    raise  # a time limit of its own, which says something about the entries

    async def _run_handler(self, batch: Sequence[Delivery[E]]) -> None:
        try:
            await self._handler(batch)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # A closed pool, or an inner task that somebody cancelled: it would end us without a word.
            raise RuntimeError("something that the handler awaited was cancelled") from error

    @contextmanager
    def _counted(self) -> Iterator[None]:
        call_id = next(self._call_ids)
        self._state.calls[call_id] = time.monotonic()
        try:
            yield
        finally:
            del self._state.calls[call_id]

    async def _blame(self, entry: Entry, error: Exception) -> bool:
        self._counts.failed += 1
        if entry.attempts >= self._settings.max_attempts:
            await self._bury(entry, describe(error))
            return True
        # It stays pending: this worker tries it again after a pause, another if this one is gone by then.
        log.warning(
            "entry %s failed, attempt %d of %d: %s",
            *(place(entry), entry.attempts, self._settings.max_attempts, describe(error)),
            exc_info=error,
        )
        return False

    async def _bury(self, entry: Entry, error: str) -> None:
        if await self._group.bury(entry, error, self._settings.max_dead):
            self._counts.dead += 1
            log.error("entry %s went to the dead letters: %s", place(entry), error)


def sink_trouble(error: BaseException) -> SinkBroken | SinkUnavailable | None:
    """What a handler says of its sink, also out of a task group; None if that is not what is wrong."""
    if isinstance(error, SinkBroken | SinkUnavailable):
        return error
    if not isinstance(error, BaseExceptionGroup):
        return None
    troubles = [trouble for one in error.exceptions if (trouble := sink_trouble(one))]
    return next((trouble for trouble in troubles if isinstance(trouble, SinkBroken)), next(iter(troubles), None))


def describe(failure: Exception) -> str:
    """A failure in one line, as logs and dead letters say it."""
    return " ".join(f"{type(failure).__name__}: {failure}".split())


def place(entry: Entry) -> str:
    """An entry as logs and commands name it: `<partition>/<entry id>`."""
    return f"{entry.partition}/{entry.entry_id}"
