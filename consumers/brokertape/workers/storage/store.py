"""The storage worker as a whole: from settings to a running worker."""

import asyncio
import logging
from dataclasses import dataclass, field

from brokertape.tape.connection import connect, redact
from brokertape.tape.keys import DEFAULT_PREFIX, MAX_PARTITIONS
from brokertape.workers.meta import find_tape
from brokertape.workers.settings import WorkerSettings
from brokertape.workers.storage.counts import StoreCounts
from brokertape.workers.storage.database import database_path, open_database
from brokertape.workers.storage.storage import Storage, StoredPositions
from brokertape.workers.worker import Worker

DEFAULT_GROUP = "storage"
READ_MARGIN_S = 4.0  # a read may be blocked for `block_ms`; past this much more, the connection is dead

log = logging.getLogger("brokertape.workers.storage")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """What a storage worker needs.

    Args:
        redis_url: Where the tape is; see `tape.connection.connect`.
        database: `sqlite:///PATH` or a path. Give one file to one worker process.
        prefix: The tape's key prefix.
        worker: Group, consumer name, start and limits.
    """

    redis_url: str = field(repr=False)  # URLs hold passwords
    database: str = field(repr=False)
    prefix: str = DEFAULT_PREFIX
    worker: WorkerSettings = field(default_factory=lambda: WorkerSettings(group=DEFAULT_GROUP))


async def store(settings: StoreSettings, stop: asyncio.Event, counts: StoreCounts | None = None) -> StoreCounts:
    """Keep the tape in the database until `stop` is set, then finish what is in hand.

    Args:
        counts: To count into; the caller may show it meanwhile. A new one unless given.

    Raises:
        DatabaseBroken: The database cannot be used: one line that says why.
        TapeMismatch, StoreRefused, InvalidKeys: The tape cannot.
    """
    counts = counts or StoreCounts()
    block_s = settings.worker.block_ms / 1000
    client = connect(
        settings.redis_url,
        command_timeout_s=block_s + READ_MARGIN_S,
        max_connections=2 * MAX_PARTITIONS,  # on a Cluster: one blocked reader a partition, and its commands
    )
    try:
        async with open_database(database_path(settings.database)) as engine:
            keys = await find_tape(client, settings.prefix, stop)
            if keys is None:
                return counts
            log.info("storing the tape %r of %s", settings.prefix, redact(settings.redis_url))
            worker = Worker(
                client,
                keys,
                Storage(engine, counts.storage).handle,
                positions=StoredPositions(engine, f"{settings.prefix}:{settings.worker.group}"),
                settings=settings.worker,
                counts=counts.worker,
            )
            await worker.run(stop)
    finally:
        await client.aclose()
    return counts
