"""`brokertape store`: the storage worker, from settings."""

import asyncio
import logging

from brokertape.cli.redis_link import open_redis
from brokertape.cli.settings import Settings, StoreGroup, host_and_port
from brokertape.workers.process import settle_memory
from brokertape.workers.settings import WorkerSettings
from brokertape.workers.storage import StoreSettings
from brokertape.workers.storage import store as run_store

logger = logging.getLogger("brokertape.cli.store")

# Settings of ours that go by other names, or nowhere, in the worker's.
_NOT_THE_WORKERS = {"database", "consumer", "endpoint"}


async def store(settings: Settings, stop: asyncio.Event) -> None:
    """Keep the tape in the database until `stop` is set. A tape that is not there yet is waited for.

    Raises:
        StoreError: Redis is not there at the start, or it or the tape in it cannot be used.
        DatabaseBroken: The database cannot be used.
    """
    async with open_redis(settings.redis):
        pass  # later losses are lived with; one at the start is most likely a wrong URL
    settle_memory()
    counts = await run_store(store_settings(settings), stop)
    logger.info(
        "stopped",
        extra={
            "events": counts.storage.events,
            "repeats": counts.storage.repeats,
            "past_days": counts.history.events,
            "dead": counts.worker.dead + counts.history_worker.dead,
        },
    )


def store_settings(settings: Settings) -> StoreSettings:
    """The storage worker's own settings."""
    return StoreSettings(
        redis_url=settings.redis.url.get_secret_value(),
        database=settings.store.database,
        prefix=settings.redis.prefix,
        endpoint=host_and_port(settings.store.endpoint) if settings.store.endpoint else None,
        worker=_worker_settings(settings.store),
    )


def _worker_settings(settings: StoreGroup) -> WorkerSettings:
    values = settings.model_dump(exclude=_NOT_THE_WORKERS)
    if settings.consumer is not None:
        values["consumer"] = settings.consumer
    return WorkerSettings(**values)
