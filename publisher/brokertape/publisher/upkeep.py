"""What a publisher does beside its polls: it says how far it is, remembers what it learnt, and cuts what is old."""

import logging

from brokertape.publisher.clock import Clock
from brokertape.publisher.poll import Poller
from brokertape.publisher.schedule import Schedule
from brokertape.publisher.stores import Stores
from brokertape.publisher.why import why_of
from brokertape.tape.errors import StoreError
from brokertape.tape.events import WatermarkEntry

logger = logging.getLogger("brokertape.publisher.upkeep")


class Upkeep:
    """Chores of the publisher `name`, each to be done again and again. Raises StoreError unless it says otherwise."""

    def __init__(self, name: str, schedule: Schedule, poller: Poller, stores: Stores, clock: Clock) -> None:
        self._name = name
        self._schedule = schedule
        self._poller = poller
        self._stores = stores
        self._clock = clock

    async def recall(self) -> None:
        """Let the schedule know what was learnt; if that cannot be had, it learns anew."""
        try:
            self._schedule.recall(await self._stores.learned.load(self._clock.now_ms()))
        except StoreError as error:
            logger.warning("what the schedule had learnt is not known, it learns anew: %s", error)

    async def save(self) -> None:
        """Keep what the schedule has learnt."""
        await self._stores.learned.save(self._schedule.learned(), self._clock.now_ms())

    async def save_at_end(self) -> None:
        """The same, if it can be."""
        try:
            await self.save()
        except StoreError as error:
            logger.warning("what the schedule has learnt is not saved: %s", error)

    async def send_watermark(self) -> None:
        """Say how far each code was truly seen."""
        books = [book for code in sorted(self._schedule.codes) if (book := self._poller.book(code)) is not None]
        await self._stores.feed.watermark(
            {
                book.code: WatermarkEntry(
                    observed_at=book.observed_at, data_time=book.data_time, epoch=book.epoch, seq=book.seq
                )
                for book in books
            }
        )

    async def tell_why(self) -> None:
        """Say why each code is asked when it is."""
        now_s, now_ms = self._clock.monotonic_s(), self._clock.now_ms()
        await self._stores.why.tell(why_of(self._schedule, publisher=self._name, now_s=now_s, now_ms=now_ms))

    async def restore(self) -> None:
        """See that Redis still has what is written only once: it may have been emptied, or have lost its end."""
        await self._stores.watch.keep_tape()
        await self._stores.feed.restore()

    async def trim(self) -> None:
        """Cut from the tapes what is old."""
        await self._stores.trimmer.trim(self._clock.now_ms())

    async def sweep_interest(self) -> None:
        """Delete what subscribers asked for and have not renewed."""
        if swept := await self._stores.watch.interest.sweep():
            logger.debug("%d expired members of the interest deleted", swept)
