"""What the worker runtime costs beside a hand-written loop and beside FastStream: events that a handler gets.

Every way hands typed events in batches to a handler that does nothing, and acknowledges them after it. The
hand-written loop reads, decodes a list, calls the handler, acknowledges the batch, and knows nothing of failures.
Redis keeps nothing on disk here. Shows nothing of a handler's own work.
"""

import asyncio
import logging
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from faststream import AckPolicy
from faststream.redis import RedisBroker, StreamSub

from brokertape.cli.redis_server import die_with_parent
from brokertape.tape.codec import decode_entry
from brokertape.tape.connection import connect
from brokertape.tape.keys import Keys
from brokertape.workers import TAPE, Delivery, MemoryPositions, Worker, WorkerSettings
from brokertape.workers.process import settle_memory

if __name__ != "__main__":  # what only makes the tape is not needed by who reads it
    from subscriber import CODES, morning, tape_of

BATCH = 500
TIMEOUT_S = 300.0

Consume = Callable[[str, int], Coroutine[Any, Any, float]]


async def by_hand(url: str, events: int) -> float:
    """The loop that redis-py's user writes; events/s."""
    client, keys, group, seen = connect(url), Keys(), uuid.uuid4().hex, 0

    async def handle(batch: Sequence[Any]) -> None:
        nonlocal seen
        seen += len(batch)

    after = dict.fromkeys(keys.tapes(), ">")
    for tape in after:
        await client.xgroup_create(tape, group, "0", mkstream=True)
    began = time.perf_counter()
    while seen < events:
        reply: Any = await client.xreadgroup(group, "me", dict[Any, Any](after), count=BATCH // 16, block=1000)
        streams: Mapping[bytes, Sequence[tuple[bytes, Mapping[bytes, bytes]]]] = dict(reply)
        await handle([decode_entry(fields) for entries in streams.values() for _, fields in entries])
        pipeline = client.pipeline(transaction=False)
        for stream, entries in streams.items():
            pipeline.xack(stream, group, *(entry_id for entry_id, _ in entries))
        await pipeline.execute()
    took = time.perf_counter() - began
    await client.aclose()
    return events / took


async def by_worker(url: str, events: int, *, ordered: bool = False) -> float:
    """Ours."""
    client, seen, done = connect(url, max_connections=64), 0, asyncio.Event()

    async def handle(batch: Sequence[Delivery]) -> None:
        nonlocal seen
        seen += len(batch)
        if seen >= events:
            done.set()

    # A new group waits for one lease before it begins: a short one, for that is not what is measured.
    settings = WorkerSettings(group=uuid.uuid4().hex, ordered=ordered, batch_size=BATCH, lease_s=0.5)
    worker = Worker(client, Keys(), TAPE, handle, positions=MemoryPositions(), settings=settings)
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await joined(worker, ordered=ordered)  # as by hand, the clock starts when the group is there
    began = time.perf_counter()
    await done.wait()
    took = time.perf_counter() - began
    stop.set()
    await running
    await client.aclose()
    return events / took


async def until(condition: Callable[[], object]) -> None:
    """Look at every turn of the loop."""
    while not condition():  # noqa: ASYNC110 - it is looked at, not told
        await asyncio.sleep(0)


async def joined(worker: Worker, *, ordered: bool) -> None:
    """Until it begins to read: what it does once, however much there is to read, is not measured."""
    state = worker.state
    await until(lambda: state.owned if ordered else state.troubles)
    await until(lambda: ordered or not state.troubles)


async def by_ordered_worker(url: str, events: int) -> float:
    """Ours, every code in order, on leases."""
    return await by_worker(url, events, ordered=True)


async def by_faststream(url: str, events: int) -> float:
    """The peer, in batches."""
    quiet = logging.getLogger("quiet")
    quiet.setLevel(logging.ERROR)
    broker, group, seen, done = RedisBroker(url, logger=quiet), uuid.uuid4().hex, 0, asyncio.Event()
    client = connect(url)

    async def handle(batch: list[Any]) -> None:
        nonlocal seen
        for fields in batch:
            decode_entry({name.encode(): value.encode() for name, value in fields.items()})
        seen += len(batch)
        if seen >= events:
            done.set()

    for tape in Keys().tapes():
        await client.xgroup_create(tape, group, "0", mkstream=True)
        stream = StreamSub(tape, group=group, consumer="me", batch=True, max_records=BATCH // 16, polling_interval=1000)
        broker.subscriber(stream=stream, ack_policy=AckPolicy.ACK)(handle)
    began = time.perf_counter()
    await broker.start()
    await done.wait()
    took = time.perf_counter() - began
    await broker.stop()
    await client.aclose()
    return events / took


WAYS: dict[str, tuple[str, Consume]] = {
    "hand": ("redis-py by hand", by_hand),
    "worker": ("worker", by_worker),
    "ordered": ("worker, ordered", by_ordered_worker),
    "faststream": ("FastStream, batch=True", by_faststream),
}


def run(events: int, rounds: int) -> None:
    """The table, every way in a process of its own, in turn."""
    found = list(islice(morning(CODES), events))
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    with tape_of(found) as url:
        for _ in range(rounds):
            for way, of_way in rates.items():
                of_way.append(alone(way, url, len(found)))
    print(f"\nworkers: {len(found)} events of {len(CODES)} codes to a handler that does nothing; median of {rounds}")
    print(f"{'':>24} {'events/s':>9} {'µs each':>8} {'/ by hand':>10}")
    floor = statistics.median(rates["hand"])
    for way, (what, _) in WAYS.items():
        rate = statistics.median(rates[way])
        print(f"{what:>24} {rate:>9.0f} {1e6 / rate:>8.1f} {rate / floor:>10.2f}")


def alone(way: str, url: str, events: int) -> float:
    """The rate of one way in a process of its own."""
    command = [sys.executable, str(Path(__file__)), way, url, str(events)]
    output = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, timeout=TIMEOUT_S, preexec_fn=die_with_parent
    ).stdout
    return float(output)


if __name__ == "__main__":
    settle_memory()
    print(asyncio.run(WAYS[sys.argv[1]][1](sys.argv[2], int(sys.argv[3]))))
