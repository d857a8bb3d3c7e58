"""A real answer of the gateway through the whole pipe: over the wire, onto the tape, out of the store, value for value.

The SDK's reading of the same bytes is compared in tests/peers.
"""

import asyncio
import csv
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from brokertape.cli.redis_server import RedisServer
from brokertape.gateway import GatewayClient, GatewaySettings
from brokertape.gateway.values import BrokerItem, BuySellType, TopTenBrokers
from brokertape.publisher.clock import SystemClock
from brokertape.simulator.fixed_market import FixedMarket
from brokertape.simulator.instruments import KNOWN
from brokertape.simulator.server import GatewayServer
from brokertape.workers.settings import WorkerSettings
from brokertape.workers.storage import StoreSettings, store
from support.publishing import KEYS, assemble
from support.simulators import simulator_settings
from support.tape_checker import read_tape
from support.waiting import until

pytestmark = pytest.mark.server
CODE, DATA_TIME = "HK.00700", 1_778_227_221
VECTOR = Path(__file__).parent.parent / "data" / "hk00700_20260508.csv"


def vector() -> list[dict[str, Any]]:
    """The answer's rows as the contract writes them; the print-out cut the names, so the row's number stands for it."""
    with VECTOR.open(newline="") as file:
        lines = list(csv.DictReader(file))
    sides = ["buy" if line["buy_sell_type"] == "1" else "sell" for line in lines]
    return [
        {
            "rank": sides[: number + 1].count(side),
            "side": side,
            "broker_name": f"Broker {number}",
            "net_vol": int(line["net_vol"]),
            "avg_price": float(line["avg_price"]),
            "total_vol": float(line["total_vol"]),
            "total_turnover": float(line["total_turnover"]),
        }
        for number, (side, line) in enumerate(zip(sides, lines, strict=True))
    ]


def table(rows: list[dict[str, Any]]) -> TopTenBrokers:
    """The rows as the gateway has them."""
    brokers = tuple(
        BrokerItem(
            broker_name=row["broker_name"],
            buy_sell_type=BuySellType.NET_BUY if row["side"] == "buy" else BuySellType.NET_SELL,
            net_vol=row["net_vol"],
            avg_price=row["avg_price"],
            total_vol=row["total_vol"],
            total_turnover=row["total_turnover"],
        )
        for row in rows
    )
    return TopTenBrokers(CODE, is_real_time=True, data_time=DATA_TIME, brokers=brokers)


async def test_every_number_arrives_as_it_was_printed(redis_server: RedisServer, short_dir: Path) -> None:
    """Simulated wire, our client, publisher, Redis, storage, SQLite: the same 20 rows at each end."""
    market = FixedMarket(KNOWN)
    market.show_table(table(vector()))
    database = short_dir / "tape.db"
    client = redis.asyncio.Redis(unix_socket_path=str(redis_server.socket), legacy_responses=False)
    stop = asyncio.Event()
    await client.hset(KEYS.meta, mapping={"schema": 1, "partitions": KEYS.partitions})
    async with (
        GatewayServer(simulator_settings(), market) as server,
        GatewayClient(GatewaySettings(port=server.port)) as gateway,
        asyncio.TaskGroup() as tasks,
    ):
        await gateway.wait_connected(5)
        read = await gateway.top_ten_brokers(CODE)
        bench = assemble(client, gateway, SystemClock())
        await bench.watch.add_missing(CODE)
        tasks.create_task(bench.publisher.run(stop))
        settings = StoreSettings(
            redis_url=redis_server.url, database=str(database), worker=WorkerSettings(group="storage")
        )
        storing = tasks.create_task(store(settings, stop))
        await until(lambda: stored(database), timeout_s=20)
        stop.set()
        await storing
    await client.aclose()
    assert read == table(vector())
    (event,) = read_tape(plain_client(redis_server))[CODE]
    assert event["data"]["rows"] == vector()
    assert event["data"]["data_time"] == DATA_TIME
    ((payload, rows),) = stored(database)
    assert json.loads(payload)["data"]["rows"] == vector()
    assert json.loads(rows) == vector()


def plain_client(server: RedisServer) -> Any:
    """A client that knows nothing of ours."""
    return redis.Redis(unix_socket_path=str(server.socket))


def stored(database: Path) -> list[Any]:
    """Payload and book of what is stored."""
    if not database.exists():
        return []
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return connection.execute(
            "SELECT payload, list_rows FROM events JOIN books ON books.event_id = events.id"
        ).fetchall()
    except sqlite3.OperationalError:  # not made yet
        return []
    finally:
        connection.close()
