"""The examples of the contract: one real event per type, from a morning of the simulated market in virtual time.

`python -m support.example_events`, run in `tests/`, writes them anew. Every run gives the same ones.
"""

import asyncio
import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from brokertape.publisher.service import Intervals
from brokertape.publisher.snapshot import Snapshot
from brokertape.publisher.window import Limit
from brokertape.simulator.in_memory import InMemoryGateway
from brokertape.simulator.instruments import KNOWN
from brokertape.simulator.market_model import MarketModel, MarketSettings, Restatement
from brokertape.simulator.trading_calendar import market_moment
from brokertape.simulator.virtual_time import VirtualClock, run_virtual
from brokertape.tape import Event, HistoryEvent, Keys, decode_entry
from brokertape.tape.codec import dump
from brokertape.tape.events import ChangeEvent, HistoryData, HistoryRow, StatusEvent, WatermarkEvent
from brokertape.tape.market_time import rfc3339, trading_date_of
from brokertape.tape.schema import EVENT_MODELS, dumps
from support.fake_redis import fake_redis
from support.publishing import assemble
from support.source_tree import PROJECT

DIRECTORY = PROJECT / "proto" / "brokertape" / "tape" / "examples"
FRIDAY = date(2026, 5, 8)
BEGIN_S, END_S = market_moment(FRIDAY, 9 * 3600 - 60), market_moment(FRIDAY, 9.9 * 3600)
RESTATED, FAILING = KNOWN[0].code, KNOWN[1].code
SOURCE = "/opend/test"
MAX_CHANGES = 6


async def morning() -> list[Event]:
    """The events of two codes on the morning of a Friday: one is restated, one fails for a while."""
    clock = VirtualClock(round(BEGIN_S * 1000))
    restatement = Restatement(RESTATED, market_moment(FRIDAY, 9.8 * 3600))
    market = MarketModel(MarketSettings(instruments=KNOWN[:4], trades_per_s=0.2, restatements=(restatement,)), BEGIN_S)
    gateway = InMemoryGateway(market, clock.now_s)
    gateway.misbehaviour.fail_code(FAILING, "NN_ProtoRet_SvrFailed", BEGIN_S + 2400, BEGIN_S + 2700)
    client = fake_redis()
    seldom = Intervals(state_s=10, watch_s=60, watermark_s=60, lease_s=60, why_s=60)
    bench = assemble(client, gateway, clock, limit=Limit(30, 300.0), intervals=seldom)
    for code in (RESTATED, FAILING):
        await bench.watch.add_missing(code)
    stop = asyncio.Event()
    publishing = asyncio.create_task(bench.publisher.run(stop))
    await clock.sleep(END_S - clock.now_s())
    history = await past_day(gateway, clock.now_ms())
    stop.set()
    await publishing
    events = [event for stream in (*Keys().tapes(), Keys().feed) for event in await events_of(client, stream)]
    await client.aclose()
    return [*events, history]


async def events_of(client: Any, stream: str) -> list[Event]:
    """Every event of a stream."""
    return [decode_entry(fields) for _, fields in await client.xrange(stream)]


async def past_day(gateway: InMemoryGateway, now_ms: int) -> HistoryEvent:
    """The day before, as the gateway answers for it."""
    table = await gateway.top_ten_brokers(RESTATED, days_before=1)
    snapshot = Snapshot.of(table, now_ms, now_ms)
    trading_date = trading_date_of(table.data_time or 0)
    rows = tuple(map(HistoryRow.of, snapshot.rows))
    return HistoryEvent(
        source=SOURCE,
        id=f"{table.code}/history/{trading_date}",
        subject=table.code,
        time=rfc3339(now_ms),
        data=HistoryData(
            code=table.code, trading_date=trading_date, days_before=1, data_time=table.data_time, rows=rows
        ),
    )


def examples() -> dict[str, Event]:
    """One event per kind: the first that shows what the kind is about."""
    telling = [event for event in run_virtual(morning()) if _is_telling(event)]
    return {kind: next(event for event in telling if event.kind == kind) for kind in EVENT_MODELS}


def _is_telling(event: Event) -> bool:
    """Whether the event shows much of its type, and in few lines."""
    match event:
        case ChangeEvent(data=data):
            kinds = {kind for change in data.changes for kind in change.kinds}
            return kinds >= {"entered", "left", "net", "ranked"} and len(data.changes) <= MAX_CHANGES
        case StatusEvent(data=data):
            return data.reason is not None
        case WatermarkEvent(data=data):
            return len(data.codes) > 1
        case _:
            return True


def write(directory: Path, events: Iterable[tuple[str, Event]]) -> None:
    """A file each, for people to read."""
    for kind, event in events:
        (directory / f"{kind}.json").write_text(text_of(event))


def text_of(event: Event) -> str:
    """An event as its file has it: the payload, with line breaks."""
    payload: dict[str, Any] = json.loads(dump(event))
    return dumps(payload)


if __name__ == "__main__":
    write(DIRECTORY, examples().items())
