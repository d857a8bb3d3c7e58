"""A reader in a process of its own, started as `python reader.py raw|decode|handle|weigh|trace URL EVENTS CODE…`.

Prints two numbers as JSON: what it took, in s or bytes, and how much it read. A process of its own, because what else
lives in one is gone through at every collection of garbage.
"""

import asyncio
import gc
import json
import os
import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from brokertape.subscriber import State, Update, subscribe
from brokertape.subscriber.redis_source import COMMAND_TIMEOUT_S, READ_COUNT
from brokertape.tape.codec import decode_entry
from brokertape.tape.connection import RedisClient, connect
from brokertape.tape.keys import Keys

MAX_AGE_S = 30.0

Fields = Mapping[bytes, bytes]


async def raw(url: str, codes: Sequence[str], handle: Callable[[Fields], object]) -> tuple[float, int]:
    """Read the tapes of `codes` to their ends as a subscriber does, and do no more than `handle`: s, and entries."""
    client = connect(url, command_timeout_s=COMMAND_TIMEOUT_S)
    after: dict[Any, Any] = dict.fromkeys({Keys().tape_of(code) for code in codes}, "0-0")
    began, read = time.perf_counter(), 0
    while reply := await read_once(client, after):
        for stream, entries in reply.items():
            after[stream.decode()] = entries[-1][0]
            read += len(entries)
            for _, fields in entries:
                handle(fields)
    took_s = time.perf_counter() - began
    await client.aclose()
    return took_s, read


async def read_once(client: RedisClient, after: dict[Any, Any]) -> dict[bytes, list[tuple[bytes, Fields]]]:
    """What is behind the ids of `after`."""
    reply: Any = await client.xread(after, count=READ_COUNT)
    return dict(reply or ())


async def handled(url: str, codes: Sequence[str], events: int) -> tuple[float, int]:
    """How long (s) a subscriber takes from the beginning of the tape until its handler had so many events."""
    began, seen = time.perf_counter(), 0
    async with subscribe(url, codes, start="earliest", max_age=MAX_AGE_S) as tape:
        async for event in tape:
            seen += isinstance(event, Update)
            if seen == events:
                break
        took_s = time.perf_counter() - began
    if tape.counts.resyncs or tape.counts.unreadable:
        raise RuntimeError(f"the tape was not read as it should be: {tape.counts}")
    return took_s, seen


async def weigh(url: str, codes: Sequence[str], memory: Callable[[], int]) -> tuple[int, int]:
    """What a subscriber that has joined all `codes` takes more than its imports (bytes), and the rows it holds."""
    gc.collect()
    before, joined, rows = memory(), 0, 0
    async with subscribe(url, codes, max_age=MAX_AGE_S) as tape:
        async for event in tape:
            if isinstance(event, State) and event.book is not None:
                joined, rows = joined + 1, rows + len(event.book.rows)
            if joined == len(codes):
                break
        gc.collect()
        return memory() - before, rows


def resident() -> int:
    """Bytes of this process in memory (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def traced() -> int:
    """Bytes that Python has given out since tracing began, and not got back."""
    return tracemalloc.get_traced_memory()[0]


async def measured(mode: str, url: str, events: int, codes: Sequence[str]) -> tuple[float, int]:
    """What the command line says."""
    match mode:
        case "raw":
            return await raw(url, codes, lambda _: None)
        case "decode":
            return await raw(url, codes, decode_entry)
        case "handle":
            return await handled(url, codes, events)
        case "weigh":
            return await weigh(url, codes, resident)
        case _:
            tracemalloc.start()
            return await weigh(url, codes, traced)


def main() -> None:
    """Measure, and print."""
    mode, url, events, *codes = sys.argv[1:]
    print(json.dumps(asyncio.run(measured(mode, url, int(events), codes))))


if __name__ == "__main__":
    main()
