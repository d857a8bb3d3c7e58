"""A storage worker as a process of its own, for tests that kill it.

    python -m support.store_process REDIS_URL DATABASE CONSUMER [die_before_ack | die_before_commit]

SIGTERM stops it in good order. With the last argument it ends itself, as `kill -9` would, at that point of the third
batch.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence

from brokertape.workers import Delivery, WorkerSettings
from brokertape.workers.storage import Storage, StoreSettings, storage, store
from support.forking import Process, start_module

BATCHES_BEFORE_DEATH = 2


def start(url: str, database: str, consumer: str = "w1", death: str = "") -> Process:
    """Start one."""
    return start_module("support.store_process", url, database, consumer, *([death] if death else []))


def stop(process: Process) -> int:
    """Stop one in good order; its exit code."""
    process.terminate()
    return process.wait(20)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_before_ack() -> None:
    """The effect is durable, Redis does not know it."""
    handle, batches = Storage.handle, iter(range(1_000_000))

    async def mortal(self: Storage, batch: Sequence[Delivery]) -> None:
        await handle(self, batch)
        if next(batches) == BATCHES_BEFORE_DEATH:
            _die()

    Storage.handle = mortal  # type: ignore[method-assign]


def _die_before_commit() -> None:
    """Half of the effect is in a transaction that nobody commits."""
    move, batches = storage._move_books, iter(range(1_000_000))

    async def mortal(*arguments: object) -> object:
        if next(batches) == BATCHES_BEFORE_DEATH:
            _die()
        return await move(*arguments)  # type: ignore[arg-type]

    storage._move_books = mortal  # type: ignore[assignment]


async def main(url: str, database: str, consumer: str, death: str = "") -> None:
    """Run until SIGTERM."""
    {"": lambda: None, "die_before_ack": _die_before_ack, "die_before_commit": _die_before_commit}[death]()
    stop_event = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop_event.set)
    worker = WorkerSettings(
        group="storage",
        consumer=consumer,
        prefetch=128,
        batch_size=40,
        block_ms=50,
        retry_first_s=0.02,
        retry_most_s=0.1,
        min_idle_ms=300,
        upkeep_every_s=0.1,
    )
    await store(StoreSettings(redis_url=url, database=database, worker=worker), stop_event)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
