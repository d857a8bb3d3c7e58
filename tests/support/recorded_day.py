"""The recorded day of the test kit: a Friday of the simulated market, published in virtual time.

`python -m support.recorded_day`, run in `tests/`, records it anew. Every run gives the same bytes.
"""

import asyncio
import gzip
from datetime import date
from typing import Any

from brokertape.publisher.service import Intervals
from brokertape.publisher.window import Limit
from brokertape.simulator.in_memory import InMemoryGateway
from brokertape.simulator.instruments import KNOWN
from brokertape.simulator.market_model import MarketModel, MarketSettings
from brokertape.simulator.trading_calendar import market_moment
from brokertape.simulator.virtual_time import VirtualClock, run_virtual
from brokertape.tape.codec import decode_entry
from brokertape.tape.keys import Keys
from brokertape.testing.recording import published_at
from support.fake_redis import fake_redis
from support.publishing import assemble
from support.source_tree import PROJECT

PATH = PROJECT / "consumers" / "brokertape" / "testing" / "day.jsonl.gz"
FRIDAY = date(2026, 5, 8)
BEGIN_S, END_S = market_moment(FRIDAY, 9.2 * 3600), market_moment(FRIDAY, 16.2 * 3600)
CODES = [instrument.code for instrument in KNOWN[:3]]
TRADES_PER_S = 0.05


async def payloads() -> list[bytes]:
    """What a publisher wrote on that day, in order."""
    clock = VirtualClock(round(BEGIN_S * 1000))
    market = MarketModel(MarketSettings(instruments=KNOWN[:3], trades_per_s=TRADES_PER_S), BEGIN_S)
    client = fake_redis()
    bench = assemble(
        client,
        InMemoryGateway(market, clock.now_s),
        clock,
        limit=Limit(30, 600.0),
        intervals=Intervals(state_s=30, watch_s=300, watermark_s=60, lease_s=300, why_s=300),
    )
    for code in CODES:
        await bench.watch.add_missing(code)
    stop = asyncio.Event()
    publishing = asyncio.create_task(bench.publisher.run(stop))
    await clock.sleep(END_S - clock.now_s())
    stop.set()
    await publishing
    entries = [entry for stream in (*Keys().tapes(), Keys().feed) for entry in await entries_of(client, stream)]
    await client.aclose()
    events = sorted((published_at(decode_entry(fields)), number) for number, fields in enumerate(entries))
    # How long a publisher takes to say goodbye is not part of the day.
    return [entries[number][b"payload"] for at, number in events if at < round(END_S * 1000)]


async def entries_of(client: Any, stream: str) -> list[dict[bytes, bytes]]:
    """Every entry of a stream."""
    return [fields for _, fields in await client.xrange(stream)]


def recording() -> bytes:
    """The file's content."""
    return gzip.compress(b"".join(payload + b"\n" for payload in run_virtual(payloads())), mtime=0)


if __name__ == "__main__":
    PATH.write_bytes(recording())
