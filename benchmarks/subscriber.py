"""What a subscriber can take in, what it weighs and how fast it starts, beside redis-py doing as little as can be done.

Shows nothing of a network: Redis is on this machine, and keeps nothing on disk, which readers do not wait for.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from brokertape.cli.redis_server import RedisServer, die_with_parent
from brokertape.gateway.values import TopTenBrokers
from brokertape.publisher.snapshot import Snapshot
from brokertape.publisher.step import Append, Base, Step, next_step
from brokertape.simulator.instruments import KNOWN, instruments_of
from brokertape.simulator.market_model import MarketModel, MarketSettings
from brokertape.simulator.trading_calendar import TradingCalendar
from brokertape.tape.codec import encode_entry
from brokertape.tape.connection import connect
from support.tape_factory import create_tape

CODES = [instrument.code for instrument in KNOWN[:30]]
STEP_S = 10  # of the market between two looks at every code
TRADES_PER_S = 12.0  # over all codes: three of four changed when looked at again
MORNING_S = 9000
HALF_HOUR_S = 1800
AT_ONCE = 500  # writes in one pipeline
READER_TIMEOUT_S = 120.0
READING = {
    "raw": "XREAD, nothing decoded",
    "decode": "XREAD, decoded",
    "handle": "subscribe: applied and checked",
}
IMPORTS = {
    "python alone": "pass",
    "redis.asyncio, msgspec, orjson, pydantic": "import redis.asyncio, msgspec, orjson, pydantic",
    "the same, and what pydantic loads late": "import redis.asyncio, msgspec, orjson, pydantic; pydantic.BaseModel",
    "brokertape.subscriber": "import brokertape.subscriber",
}


def market_of(codes: Collection[str], trades_per_s: float) -> tuple[MarketModel, float]:
    """A market at its opening, and that moment (s since 1970)."""
    begin_s = TradingCalendar().last_opening(time.time())
    return MarketModel(MarketSettings(instruments=instruments_of(codes), trades_per_s=trades_per_s), begin_s), begin_s


def morning(codes: Collection[str]) -> Iterator[Append]:
    """What polling `codes` in turn finds in a busy morning."""
    market, begin_s = market_of(codes, TRADES_PER_S)
    bases = dict.fromkeys(codes, Base(None))
    for second in range(STEP_S, MORNING_S, STEP_S):
        market.advance(begin_s + second)
        for code in codes:
            step = poll(bases[code], market.table(code))
            if isinstance(step, Append):
                bases[code] = Base(step.book)
                yield step


def first_looks(codes: Collection[str]) -> Iterator[Append]:
    """The first look at each of `codes`, half an hour after a busy opening: their lists are full."""
    market, begin_s = market_of(codes, len(codes) / 2)
    market.advance(begin_s + HALF_HOUR_S)
    for code in codes:
        step = poll(Base(None), market.table(code))
        assert isinstance(step, Append)
        yield step


def poll(base: Base, table: TopTenBrokers) -> Step:
    """What a table does to a book."""
    now = time.time_ns() // 1_000_000
    snapshot = Snapshot.of(table, now - 5, now)
    return next_step(base, snapshot, commit=uuid.uuid4().hex, source="/opend/bench", now=now)


@contextmanager
def tape_of(found: Sequence[Append]) -> Iterator[str]:
    """The URL of a server with these events and books on it."""
    with (
        tempfile.TemporaryDirectory(prefix="bt") as directory,
        RedisServer(Path(directory) / "r", is_durable=False) as server,
    ):
        asyncio.run(fill(server.url, found))
        yield server.url


async def fill(url: str, found: Sequence[Append]) -> None:
    """Put entries and books on a new tape, many at once."""
    client = connect(url)
    keys, entry_ids = await create_tape(client), list[bytes]()
    for start in range(0, len(found), AT_ONCE):
        pipeline = client.pipeline(transaction=False)
        for step in found[start : start + AT_ONCE]:
            pipeline.xadd(keys.tape_of(step.book.code), dict[Any, Any](encode_entry(step.event)))
        entry_ids += await pipeline.execute()
    last = {step.book.code: (step, entry_id) for step, entry_id in zip(found, entry_ids, strict=True)}
    for code, (step, entry_id) in last.items():
        book = {**step.book.to_hash(), "entry_id": entry_id, "server": b"bench"}
        await client.hset(keys.book(code), mapping=dict[Any, Any](book))
    await client.aclose()


def rates(events: int, rounds: int) -> None:
    """The table of events a second."""
    found = list(islice(morning(CODES), events))
    size = statistics.mean(len(encode_entry(step.event)["payload"]) for step in found[:: len(found) // 200 or 1])
    times: dict[str, list[float]] = {mode: [] for mode in READING}
    with tape_of(found) as url:
        for _ in range(rounds):
            for mode, took in times.items():
                took_s, read = alone(mode, url, CODES, len(found))
                assert read == len(found)
                took.append(took_s)
    print(f"\na subscriber reads {len(found)} events of {len(CODES)} codes, {size:.0f} bytes each; median of {rounds}")
    print(f"{'':>30} {'events/s':>9} {'µs each':>8} {'rate / raw':>11}")
    raw_s = statistics.median(times["raw"])
    for mode, what in READING.items():
        took_s = statistics.median(times[mode])
        print(f"{what:>30} {len(found) / took_s:>9.0f} {took_s / len(found) * 1e6:>8.1f} {raw_s / took_s:>11.2f}")


def memory(books: int) -> None:
    """What a process grows by when it joins so many full books."""
    codes = [f"HK.{number:05}" for number in range(1, books + 1)]
    with tape_of(list(first_looks(codes))) as url:
        grown, rows = alone("weigh", url, codes)
        one, _ = alone("weigh", url, codes[:1])
        traced, _ = alone("trace", url, codes)
    print(f"\nmemory of a subscriber of {books} codes that holds {rows} rows, beyond its imports")
    print(f"resident {grown / 1e6:.1f} MB, of which {one / 1e6:.1f} MB for the first code")
    print(f"objects of Python {traced / 1e6:.1f} MB: {traced / books / 1e3:.1f} kB a code")


def alone(mode: str, url: str, codes: Sequence[str], events: int = 0) -> tuple[float, int]:
    """What `reader.py` measures, in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("reader.py")), mode, url, str(events), *codes]
    reader = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, timeout=READER_TIMEOUT_S, preexec_fn=die_with_parent
    )
    took, read = json.loads(reader.stdout)
    return took, read


def start_up(times: int) -> None:
    """What importing costs, interpreter included."""
    took: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(times):
        for name, statement in IMPORTS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True)
            took[name].append(time.perf_counter() - began)
    print(f"\nstart-up, best of {times} (ms)")
    for name, seconds in took.items():
        print(f"{name:>38} {min(seconds) * 1000:>9.0f}")


def run(events: int, rounds: int, books: int, starts: int) -> None:
    """All three."""
    rates(events, rounds)
    memory(books)
    start_up(starts)
