"""What was read and waits for the handler, in free order: a bounded queue, and who works it off."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Generic

from brokertape.tape.backoff import is_set_within
from brokertape.tape.errors import StoreUnavailable
from brokertape.workers.counts import WorkerState
from brokertape.workers.delivery import Delivery, E, Entry
from brokertape.workers.errors import GroupLost, SinkUnavailable
from brokertape.workers.group import Group
from brokertape.workers.retry import is_suspect
from brokertape.workers.settings import WorkerSettings
from brokertape.workers.settler import Settler

log = logging.getLogger("brokertape.workers")

_CLOSING_LOOK_S = 0.05


class Desk(Generic[E]):
    """Entries in hand: those that wait and those at work, never more than `prefetch` together.

    What waits is handed over in batches as large as they come: while the handler is busy, the next batch grows. A
    suspect, one that came more than once before, is handed over alone.
    """

    def __init__(self, settler: Settler[E], settings: WorkerSettings, state: WorkerState) -> None:
        self._settler = settler
        self._settings = settings
        self._state = state
        self._suspects = 0
        self._waiting: deque[Delivery[E]] = deque()
        self._in_hand: dict[int, set[str]] = {}
        self._news = asyncio.Event()
        self._has_room = asyncio.Event()
        self._suspect_gone = asyncio.Event()
        self._closed = asyncio.Event()
        self.left: set[int] = set()
        """Partitions of which something stays pending, to be delivered again."""

    @property
    def room(self) -> int:
        """How many more entries may be taken in hand."""
        return max(0, self._settings.prefetch - self._state.in_hand)

    def in_hand(self, partition: int) -> frozenset[str]:
        """The entries of a partition that wait or are at work."""
        return frozenset(self._in_hand.get(partition, ()))

    @property
    def has_suspect(self) -> bool:
        """Whether a suspect is in hand."""
        return self._suspects > 0

    async def has_room(self, within_s: float) -> bool:
        """Whether half of what may be in hand is free, or becomes so in time.

        Half, so that reads are large, and that there is enough in hand to be handled while the next ones are decoded.
        """
        if not self._is_half_free:
            self._has_room.clear()
            await is_set_within(self._has_room, within_s)
        return self._is_half_free

    async def look_again(self, within_s: float) -> None:
        """Until there may be something to deliver again: a suspect was put down, or the time is over."""
        self._suspect_gone.clear()
        await is_set_within(self._suspect_gone, within_s)

    async def put(self, entries: Sequence[Entry]) -> None:
        """Take `entries` in hand."""
        for entry in entries:
            self._in_hand.setdefault(entry.partition, set()).add(entry.entry_id)
        self._state.in_hand += len(entries)
        self._suspects += _suspects_among(entries)
        deliveries: Sequence[Delivery[E]] = ()
        try:
            deliveries = await self._settler.examine(entries)
        finally:
            if len(deliveries) < len(entries):
                kept = {delivery.entry.entry_id for delivery in deliveries}
                self._put_down([entry for entry in entries if entry.entry_id not in kept])
        self._waiting.extend(deliveries)
        self._news.set()

    def close(self) -> None:
        """Nothing more comes: `work` ends when all is done."""
        self._closed.set()
        self._news.set()

    async def renew(self, group: Group) -> None:
        """Say of all that is in hand that somebody is at work on it, until nothing more comes and nothing is left."""
        while not (self._closed.is_set() and not self._state.in_hand):
            if await is_set_within(self._closed, self._settings.upkeep_every_s):
                await asyncio.sleep(_CLOSING_LOOK_S)  # so that an end does not wait for the next renewal
            for partition in [partition for partition, ids in self._in_hand.items() if ids]:
                try:
                    held = await group.pending(partition)
                    await group.renew(
                        partition, [one.entry_id for one in held if one.entry_id in self.in_hand(partition)]
                    )
                except (StoreUnavailable, GroupLost) as error:
                    log.info("what is in hand of partition %d was not renewed: %s", partition, error)

    async def work(self) -> None:
        """Settle what comes, batch by batch. Raises SinkBroken and StoreRefused."""
        while True:
            while not self._waiting:
                if self._closed.is_set():
                    return
                self._news.clear()
                await self._news.wait()
            await self._settle(self._take())

    def _take(self) -> list[Delivery[E]]:
        batch = [self._waiting.popleft()]
        while self._waiting and len(batch) < self._settings.batch_size:
            if self._suspects and any(is_suspect(one.attempts - 1) for one in (batch[-1], self._waiting[0])):
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _settle(self, batch: list[Delivery[E]]) -> None:
        is_settled = False
        try:
            is_settled = await self._settler.settle(batch)
        except (StoreUnavailable, GroupLost, SinkUnavailable) as error:
            # They stay pending: delivered again once Redis is back, or by whoever is there after us.
            log.warning("%s; %d entries stay pending", error, len(batch))
        finally:
            if not is_settled:
                self.left.update(delivery.partition for delivery in batch)
            self._put_down([delivery.entry for delivery in batch])

    def _put_down(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._in_hand[entry.partition].discard(entry.entry_id)
        self._state.in_hand -= len(entries)
        if self._suspects and (suspects := _suspects_among(entries)):
            self._suspects -= suspects
            self._suspect_gone.set()
        if self._is_half_free:
            self._has_room.set()

    @property
    def _is_half_free(self) -> bool:
        return 2 * self.room >= self._settings.prefetch


def _suspects_among(entries: Sequence[Entry]) -> int:
    return sum([is_suspect(entry.attempts - 1) for entry in entries if entry.attempts > 1])
