"""The receiving process of the latency benchmark, which starts it as `python far_side.py follow|bare URL CODE…`.

It says that it is ready, stamps what arrives, is told on standard input how much that is, and prints its stamps as
JSON: id → ns on the clock that all processes of a machine share.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Generic, ParamSpec, TypeVar
from unittest.mock import patch

from brokertape.subscriber import Event, State, Update, subscribe
from brokertape.subscriber import books as books_module
from brokertape.subscriber.books import Books, Lost
from brokertape.subscriber.redis_source import COMMAND_TIMEOUT_S, READ_COUNT, RedisSource
from brokertape.subscriber.source import Entry
from brokertape.tape.codec import decode_entry
from brokertape.tape.connection import connect
from brokertape.tape.keys import Keys

BARE_STREAM = "bare"
MAX_AGE_S = 30.0
BLOCK_MS = 1000

Stamps = dict[str, list[int]]
Reader = Callable[[str, Sequence[str], Stamps], Coroutine[Any, Any, None]]
P = ParamSpec("P")
R = TypeVar("R")


class Stamped(Generic[P, R]):
    """A function, and when its last call began and ended (ns)."""

    def __init__(self, function: Callable[P, R]) -> None:
        self._function = function
        self.began = 0
        self.ended = 0
        self.result: R | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call it, with a watch on it."""
        self.began = time.monotonic_ns()
        self.result = result = self._function(*args, **kwargs)
        self.ended = time.monotonic_ns()
        return result


class TimedSource(RedisSource):
    """Redis, and when its last read came back."""

    read_at = 0

    async def read(self, after: Mapping[str, str], block_ms: int) -> Sequence[Entry]:
        """As ever."""
        entries = await super().read(after, block_ms)
        self.read_at = time.monotonic_ns()
        return entries


async def follow(url: str, codes: Sequence[str], stamps: Stamps) -> None:
    """A subscriber as its user writes it. Stamps: read, decoding began, decoded, applied, in the handler."""
    source = TimedSource(connect(url, command_timeout_s=COMMAND_TIMEOUT_S), Keys())
    decode, take = Stamped(decode_entry), Books.take

    def timed_take(books: Books, entry: Entry) -> list[Event] | Lost:
        taken = take(books, entry)
        applied = time.monotonic_ns()
        for event in taken if isinstance(taken, list) else ():
            if isinstance(event, Update):
                stamps[event.event.id] = [source.read_at, decode.began, decode.ended, applied]
        return taken

    with patch.object(books_module, "decode_entry", decode), patch.object(Books, "take", timed_take):
        async with subscribe(source, codes, max_age=MAX_AGE_S) as tape:
            async for event in tape:
                now = time.monotonic_ns()
                if isinstance(event, Update):
                    stamps[event.event.id].append(now)
                elif isinstance(event, State):
                    print("ready", flush=True)


async def bare(url: str, _: Sequence[str], stamps: Stamps) -> None:
    """redis-py alone, with the subscriber's options. Stamps: read."""
    client = connect(url, command_timeout_s=COMMAND_TIMEOUT_S)
    after = b"0-0"
    print("ready", flush=True)
    while True:
        reply: Any = await client.xread({BARE_STREAM: after}, count=READ_COUNT, block=BLOCK_MS)
        now = time.monotonic_ns()
        for entries in dict(reply or ()).values():
            for after, _fields in entries:
                stamps[after.decode()] = [now]


async def listen(reader: Reader, url: str, codes: Sequence[str]) -> None:
    """Let `reader` read until it has as much as was sent."""
    stamps: Stamps = {}
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(reader(url, codes, stamps))
        sent = int(await asyncio.to_thread(sys.stdin.readline))
        while len(stamps) < sent:  # noqa: ASYNC110 - to signal each arrival would cost what is measured
            await asyncio.sleep(0.01)
        reading.cancel()
    print(json.dumps(stamps))


def main() -> None:
    """Do what the command line says."""
    mode, url, *codes = sys.argv[1:]
    asyncio.run(listen({"follow": follow, "bare": bare}[mode], url, codes))


if __name__ == "__main__":
    main()
