"""Our data frames are the official SDK's: the same gateway, read by both."""

import asyncio
import json
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from pandas import DataFrame
from pandas.testing import assert_frame_equal

from brokertape.cli.redis_server import RedisServer
from brokertape.gateway import GatewayClient, GatewaySettings
from brokertape.gateway.values import BrokerItem, BuySellType, TopTenBrokers
from brokertape.publisher.clock import SystemClock
from brokertape.publisher.snapshot import Snapshot
from brokertape.simulator import FixedMarket, GatewayServer
from brokertape.simulator.instruments import KNOWN
from brokertape.subscriber import Subscription, Update, history_frame, subscribe
from brokertape.tape.events import HistoryData, HistoryEvent, HistoryRow
from brokertape.tape.market_time import trading_date_of
from support.official_sdk import require_sdk, run_script
from support.publishing import assemble
from support.simulators import CODES, TEN_O_CLOCK_S, simulator_settings
from support.tape_factory import create_tape

pytestmark = pytest.mark.peer

CODE, OTHER, EMPTY = CODES
SECONDS = int(TEN_O_CLOCK_S)
BUY, SELL = BuySellType.NET_BUY, BuySellType.NET_SELL


@pytest.fixture(autouse=True)
def _sdk() -> None:
    require_sdk()


async def sdk_frames(home: Path, server: GatewayServer, *tables: tuple[str, int]) -> list[DataFrame]:
    """What the SDK gives for tables (code, days before)."""
    job, results = home / "job.json", home / "frames.pickle"
    job.write_text(json.dumps({"port": server.port, "tables": tables}))
    await run_script("sdk_frames.py", home, job, results)
    frames: list[DataFrame] = pickle.loads(results.read_bytes())
    return frames


@asynccontextmanager
async def published(server: GatewayServer, client: redis.asyncio.Redis, *codes: str) -> AsyncIterator[None]:
    """A publisher runs between the gateway and Redis."""
    stop = asyncio.Event()
    await create_tape(client)
    async with GatewayClient(GatewaySettings(port=server.port)) as gateway, asyncio.TaskGroup() as tasks:
        await gateway.wait_connected(5)
        bench = assemble(client, gateway, SystemClock())
        for code in codes:
            await bench.watch.add_missing(code)
        tasks.create_task(bench.publisher.run(stop))
        yield
        stop.set()


async def next_frame(tape: Subscription, code: str, kind: str) -> DataFrame:
    """The frame of `code` after the next event of a kind."""
    async with asyncio.timeout(30):
        async for event in tape:
            if isinstance(event, Update) and (event.kind, event.code) == (kind, code):
                break
    frame = tape.frame(code)
    assert frame is not None
    return frame


def a_table(data_time: int | None, *brokers: tuple[str, BuySellType, int | None, float | None]) -> TopTenBrokers:
    """Brokers with side, net volume and the three other numbers in one."""
    items = [BrokerItem(name, side, net_vol, number, number, number) for name, side, net_vol, number in brokers]
    return TopTenBrokers(CODE, is_real_time=True, data_time=data_time, brokers=tuple(items))


async def test_live_lists_are_the_sdks_frames(
    tmp_path: Path, shared_redis_server: RedisServer, real_redis: redis.asyncio.Redis
) -> None:
    """Full lists and one of nobody, through publisher, Redis and subscriber: columns, types, index and values."""
    async with GatewayServer(simulator_settings(empty_codes=(EMPTY,))) as server:
        theirs = await sdk_frames(tmp_path, server, (CODE, 0), (OTHER, 0), (EMPTY, 0))
        async with published(server, real_redis, *CODES), subscribe(shared_redis_server.url, CODES) as tape:
            assert tape.frame(CODE) is None
            held: dict[str, DataFrame | None] = {}
            async with asyncio.timeout(30):
                while held.keys() != set(CODES):
                    event = await anext(tape)
                    if isinstance(event, Update):
                        held[event.code] = tape.frame(event.code)
    for code, frame in zip(CODES, theirs, strict=True):
        ours = held[code]
        assert ours is not None
        assert_frame_equal(ours, frame, check_exact=True)
    assert [len(frame) for frame in theirs] == [20, 20, 0]


async def test_a_changed_list_and_missing_numbers_are_the_sdks_frame(
    tmp_path: Path, shared_redis_server: RedisServer, real_redis: redis.asyncio.Redis
) -> None:
    """Brokers that come, go and change side, applied as a change; what the gateway leaves out is 0 to both."""
    market = FixedMarket(KNOWN[:1])
    market.show_table(
        a_table(SECONDS, ("UBS", BUY, 500, 465.5), ("花旗", SELL, -300, 465.0), ("CLSA", SELL, -100, 1.0))
    )
    async with (
        GatewayServer(simulator_settings(), market) as server,
        published(server, real_redis, CODE),
        subscribe(shared_redis_server.url, CODE) as tape,
    ):
        before = await next_frame(tape, CODE, "baseline")
        [theirs_before] = await sdk_frames(tmp_path, server, (CODE, 0))
        market.show_table(
            a_table(
                None,
                ("花旗", BUY, 900, 465.7),
                ("UBS", BUY, 700, 465.6),
                ("HSBC", BUY, None, None),
                ("", SELL, -1, 0.1),
            )
        )
        after = await next_frame(tape, CODE, "change")
        [theirs_after] = await sdk_frames(tmp_path, server, (CODE, 0))
    assert_frame_equal(before, theirs_before, check_exact=True)
    assert_frame_equal(after, theirs_after, check_exact=True)
    assert list(after["net_vol"]) == [900, 700, 0, -1]


async def test_a_past_day_is_the_sdks_frame(tmp_path: Path) -> None:
    """Six columns."""
    async with (
        GatewayServer(simulator_settings()) as server,
        GatewayClient(GatewaySettings(port=server.port)) as gateway,
    ):
        await gateway.wait_connected(5)
        ours = history_frame(history_event(await gateway.top_ten_brokers(CODE, 1)))
        (theirs,) = await sdk_frames(tmp_path, server, (CODE, 1))
    assert_frame_equal(ours, theirs, check_exact=True)
    assert ours.shape == (20, 6)


def history_event(table: TopTenBrokers) -> HistoryEvent:
    """The event of yesterday's table."""
    rows = [
        HistoryRow(rank=row.rank, side=row.side, broker_name=row.broker_name, net_vol=row.net_vol)
        for row in Snapshot.of(table, 0, 0).rows
    ]
    assert table.data_time is not None
    day = trading_date_of(table.data_time)
    data = HistoryData(code=CODE, trading_date=day, days_before=1, data_time=table.data_time, rows=tuple(rows))
    identity: dict[str, Any] = {"source": "/opend/test", "id": f"{CODE}/history/{day}", "subject": CODE}
    return HistoryEvent(**identity, time=f"{day}T16:10:00.000Z", data=data)
