"""The storage worker as a whole: from settings to running workers, on the tapes and on the history stream."""

import asyncio
from dataclasses import dataclass, field

from brokertape.tape.keys import DEFAULT_PREFIX
from brokertape.tape.tasks import run_all
from brokertape.workers.channel import HISTORY, TAPE
from brokertape.workers.endpoint import serve_endpoint
from brokertape.workers.service import Service
from brokertape.workers.settings import WorkerSettings
from brokertape.workers.storage.counts import StoreCounts
from brokertape.workers.storage.database import open_database
from brokertape.workers.storage.history import HistoryStorage
from brokertape.workers.storage.storage import Storage, StoredPositions

DEFAULT_GROUP = "storage"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """What a storage worker needs.

    Args:
        redis_url: Where the tape is; see `tape.connection.connect`.
        database: A path or `sqlite:///PATH`, for one worker process; `postgresql://…` for any number of them.
        prefix: The tape's key prefix.
        endpoint: `(host, port)` at which metrics and health are served; None for nowhere.
        worker: Group, consumer name, start and limits.
    """

    redis_url: str = field(repr=False)  # URLs hold passwords
    database: str = field(repr=False)
    prefix: str = DEFAULT_PREFIX
    endpoint: tuple[str, int] | None = None
    worker: WorkerSettings = field(default_factory=lambda: WorkerSettings(group=DEFAULT_GROUP))


async def store(settings: StoreSettings, stop: asyncio.Event, counts: StoreCounts | None = None) -> StoreCounts:
    """Keep tape and history in the database until `stop` is set, then finish what is in hand.

    Args:
        settings: Where from, where to.
        stop: Ends it.
        counts: To count into; the caller may show it meanwhile. A new one unless given.

    Raises:
        DatabaseBroken: The database cannot be used: one line that says why.
        TapeMismatch, StoreRefused, InvalidKeys: The tape cannot.
    """
    counts = counts or StoreCounts()
    place = f"{settings.prefix}:{settings.worker.group}"
    async with open_database(settings.database) as database:
        tape = Service(Storage(database, counts.storage).handle, settings.worker, TAPE, counts.worker)
        history = Service(
            HistoryStorage(database, counts.history).handle, settings.worker, HISTORY, counts.history_worker
        )
        async with serve_endpoint(settings.endpoint, [tape, history]):
            await run_all(
                service.serve(
                    settings.redis_url, stop, prefix=settings.prefix, positions=StoredPositions(database, worker_group)
                )
                for service, worker_group in ((tape, place), (history, f"{place}:history"))
            )
    return counts
