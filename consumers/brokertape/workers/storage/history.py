"""Past trading days in a database: the handler of a worker on the history stream."""

from collections.abc import Sequence

from sqlalchemy import select

from brokertape.tape.events import HistoryEvent
from brokertape.workers.delivery import Delivery
from brokertape.workers.storage.counts import StorageCounts
from brokertape.workers.storage.port import Database
from brokertape.workers.storage.records import history_record, history_row_records
from brokertape.workers.storage.schema import history, history_rows
from brokertape.workers.storage.whole import whole


class HistoryStorage:
    """Stores every past day of a code once, with the rows of its list. One transaction per batch.

    Of two answers for one day (two publishers asked) the first one stored stays. Raises as Storage does.
    """

    def __init__(self, database: Database, counts: StorageCounts | None = None) -> None:
        self._database = database
        self.counts = counts or StorageCounts()

    @whole
    async def handle(self, batch: Sequence[Delivery[HistoryEvent]]) -> None:
        """Make the effect of `batch` durable: after it returned, it survives a power cut."""
        first = {delivery.event.id: delivery for delivery in reversed(batch)}
        query = select(history.c.id, history.c.payload).where(history.c.id.in_(first))
        async with self._database.begin() as connection:
            stored = await self._database.insert_new(connection, history, map(history_record, first.values()))
            found = await connection.execute(query)
            kept = [first[row.id] for row in found if row.payload == first[row.id].payload.decode()]
            records = (record for delivery in kept for record in history_row_records(delivery.event))
            await self._database.insert_new(connection, history_rows, records)
        self.counts.events += stored
        self.counts.repeats += len(batch) - stored
