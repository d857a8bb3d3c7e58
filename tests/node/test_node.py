"""The contract as a team without Python meets it: the documents in the tools of Node.js, and a consumer of the tape."""

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import asdict

from brokertape.cli.redis_server import RedisServer
from brokertape.simulator.virtual_time import run_virtual
from brokertape.tape.codec import dump
from brokertape.tape.connection import connect
from brokertape.tape.keys import Keys
from brokertape.tape.rows import Row
from brokertape.tape.schema import EVENT_MODELS, event_type, example
from support.example_events import morning
from support.node import SCHEMAS, Consumer, consumer, run_json
from support.stand import CODES, stand, stop
from support.tape_factory import TapeFactory, create_tape
from support.tape_writer import TapeWriter
from support.tcp_server import TcpServer
from support.waiting import until

pytestmark = pytest.mark.timeout(400)  # npm may have to download

SEVERITY_ERROR, SEVERITY_WARNING = 0, 1
CODE = "HK.00700"
Json = dict[str, Any]


# --- the documents ----------------------------------------------------------------------------------------------------


def test_the_asyncapi_document_is_valid(node_directory: Path) -> None:
    """The parser of AsyncAPI has neither errors nor warnings, and finds every message on its channel."""
    found = run_json(node_directory, "asyncapi.mjs", str(SCHEMAS / "asyncapi.json"))
    assert [one for one in found["diagnostics"] if one["severity"] <= SEVERITY_WARNING] == []
    assert {name for names in found["channels"].values() for name in names} == set(map(event_type, EVENT_MODELS))
    assert set(found["channels"]) == {"brokertape:{partition}:tape", "brokertape:feed", "brokertape:history"}


def test_the_parser_finds_what_is_wrong(node_directory: Path, tmp_path: Path) -> None:
    """An operation on a channel that is not there is an error: the check above can fail."""
    document = json.loads((SCHEMAS / "asyncapi.json").read_text())
    document["operations"]["receiveTape"]["channel"]["$ref"] = "#/channels/tap"
    (tmp_path / "wrong.json").write_text(json.dumps(document))
    found = run_json(node_directory, "asyncapi.mjs", str(tmp_path / "wrong.json"))
    assert [one for one in found["diagnostics"] if one["severity"] == SEVERITY_ERROR]


def test_every_event_of_a_morning_fits_its_schema(node_directory: Path) -> None:
    """All types, as the publisher writes them."""
    events = [json.loads(dump(event)) for event in run_virtual(morning())]
    assert {event["type"] for event in events} == set(map(event_type, EVENT_MODELS))
    assert set(run_json(node_directory, "faults.mjs", str(SCHEMAS), given=events)) == {None}


def test_what_is_odd_but_legal_fits(node_directory: Path) -> None:
    """Nameless brokers, unknown numbers, empty tables, second records of a name, fields of a later version."""
    change, baseline, status, watermark = map(example, ("change", "baseline", "status", "watermark"))
    row = {"rank": 1, "side": "buy", "broker_name": "", **dict.fromkeys(list(Row.__struct_fields__)[3:])}
    record = {"broker_name": "", "ordinal": 1, "kinds": ["entered"], "before": None, "after": row, "flow": None}
    odd = [
        with_data(change, changes=[record], data_time=None),
        with_data(change, changes=[{**record, "later": 1}], later={"a": [1]}),
        with_data(baseline, rows=[], data_time=None, since=None),
        with_data(baseline, rows=[{**row, "total_vol": 1e20, "net_vol": -(2**40), "avg_price": 0}]),
        {**status, "later": True, "subject": "what is this"},
        with_data(status, name="", state="of a later version"),
        with_data(watermark, codes={}),
    ]
    assert run_json(node_directory, "faults.mjs", str(SCHEMAS), given=odd) == [None] * len(odd)


BREAKS: dict[str, Callable[[Json], object]] = {
    "rank": lambda event: event["data"]["changes"][0]["before"].update(rank=0),
    "side": lambda event: event["data"]["changes"][0]["before"].update(side="hold"),
    "number": lambda event: event["data"]["changes"][0]["before"].update(net_vol="300"),
    "kind": lambda event: event["data"]["changes"][0].update(kinds=["moved"]),
    "no kind": lambda event: event["data"]["changes"][0].update(kinds=[]),
    "no change": lambda event: event["data"].update(changes=[]),
    "no hash": lambda event: event["data"].pop("hash"),
    "hash": lambda event: event["data"].update(hash="A3F2820646893C43"),
    "code": lambda event: event["data"].update(code="US.AAPL"),
    "seq": lambda event: event["data"].update(seq=0),
    "date": lambda event: event["data"].update(trading_date="20260508"),
    "id": lambda event: event.update(id="HK.09988/17"),
    "time": lambda event: event.update(time="2026-05-08 09:37:22"),
    "version": lambda event: event.update(specversion="0.3"),
    "no source": lambda event: event.pop("source"),
}


def test_what_is_illegal_does_not_fit(node_directory: Path) -> None:
    """Each rule that the schema states refuses what breaks it."""
    broken = [copy.deepcopy(example("change")) for _ in BREAKS]
    for event, break_it in zip(broken, BREAKS.values(), strict=True):
        break_it(event)
    faults = run_json(node_directory, "faults.mjs", str(SCHEMAS), given=broken)
    assert [name for name, fault in zip(BREAKS, faults, strict=True) if fault is None] == []


def with_data(event: Json, **values: object) -> Json:
    """`event` with other values in its data."""
    return {**event, "data": {**event["data"], **values}}


# --- the consumer -----------------------------------------------------------------------------------------------------


@pytest.mark.server
async def test_the_consumer_holds_the_publishers_books(
    node_directory: Path, redis_server: RedisServer, short_dir: Path
) -> None:
    """It joins a tape that is being written, and ends with the books in Redis, row for row, every event valid."""
    async with stand(short_dir, redis_server) as place:
        publisher = await place.start_publisher("one")
        await place.polls(2 * len(CODES))
        with consumer(node_directory, place.redis_url, CODES) as follower:
            await until(lambda: len(follower.told("joined")) == len(CODES), timeout_s=30)
            await place.polls(6 * len(CODES))
            await stop(publisher)
            books = {code: stored_book(place.client, code) for code in CODES}
            await until(lambda: all(follower.seq(code) == int(books[code][b"seq"]) for code in CODES))
            end = await follower.end()
    assert {code: book["rows"] for code, book in end["books"].items()} == {
        code: json.loads(book[b"snapshot"])["rows"] for code, book in books.items()
    }
    assert all(end["books"][code]["hash"].encode() == books[code][b"hash"] for code in CODES)
    changes = [one for one in follower.told("applied") if one["event"]["type"] == event_type("change")]
    assert len(changes) > len(CODES)
    assert (end["invalid"], end["skipped"], follower.told("reread")) == (0, 0, [])
    assert end["validated"] >= len(changes)


def stored_book(client: Any, code: str) -> dict[bytes, bytes]:
    """The book of a code, as plain Redis has it."""
    book: dict[bytes, bytes] = client.hgetall(Keys().book(code))
    return book


@pytest.mark.server
async def test_the_consumer_asks_for_its_codes(node_directory: Path, tcp_server: TcpServer) -> None:
    """A publisher that watches nothing would see its interest, with an expiry on Redis' clock; it takes it back."""
    async with connected(tcp_server) as client:
        keys = await create_tape(client)
        with consumer(node_directory, tcp_server.tcp_url, [CODE], "--name", "desk", "--max-age", "5") as follower:
            await told(follower, "joined")
            [(member, expiry)] = await client.zrange(keys.interest, 0, -1, withscores=True)
            seconds, _ = await client.time()
            assert member == b"HK.00700|desk"
            assert 20 < expiry / 1000 - seconds <= 30
            wants = await client.hgetall(keys.interest_want)
            assert {name: json.loads(want) for name, want in wants.items()} == {
                b"HK.00700|desk": {"weight": 1, "max_staleness_s": 5}
            }
            await follower.end()
        assert not await client.exists(keys.interest, keys.interest_want)


@pytest.mark.server
async def test_the_consumer_rereads_on_a_hole(node_directory: Path, tcp_server: TcpServer) -> None:
    """An entry that does not follow makes it read the book again and say so, once; what follows is applied."""
    factory = TapeFactory()
    async with connected(tcp_server) as client:
        writer = TapeWriter(client, await create_tape(client), factory)
        await writer.baseline()
        with consumer(node_directory, tcp_server.tcp_url, [CODE]) as follower:
            await told(follower, "joined")
            await writer.change()
            factory.change()  # never arrives
            await writer.change(2)
            await until(lambda: follower.seq(CODE) == 5)
            books = (await follower.end())["books"]
    assert [one["book"]["seq"] for one in follower.told("reread")] in ([4], [5])  # of a book that may be further
    assert books[CODE]["rows"] == [asdict(row) for row in factory.rows]


@pytest.mark.server
async def test_the_consumer_skips_what_it_does_not_know(node_directory: Path, tcp_server: TcpServer) -> None:
    """An entry of a later version's type is counted and does no harm."""
    async with connected(tcp_server) as client:
        writer = TapeWriter(client, await create_tape(client), TapeFactory())
        await writer.baseline()
        with consumer(node_directory, tcp_server.tcp_url, [CODE]) as follower:
            await told(follower, "joined")
            await client.xadd(Keys().tape_of(CODE), {"type": "brokertape.later.v1", "encoding": "cbor", "payload": "?"})
            await writer.change()
            await until(lambda: follower.seq(CODE) == 2)
            assert (await follower.end())["skipped"] == 1


@pytest.mark.server
async def test_the_consumer_tells_how_fresh_a_book_is(node_directory: Path, tcp_server: TcpServer) -> None:
    """A book of days ago is stale until a watermark says that it was seen just now."""
    async with connected(tcp_server) as client:
        writer = TapeWriter(client, await create_tape(client), TapeFactory())
        await writer.baseline()
        with consumer(node_directory, tcp_server.tcp_url, [CODE], "--max-age", "60") as follower:
            await told(follower, "stale")
            await writer.watermark(round(time.time() * 1000))
            await told(follower, "fresh")
            await follower.end()


@pytest.mark.server
async def test_the_consumer_outlives_its_redis(node_directory: Path, tcp_server: TcpServer) -> None:
    """Redis is killed and starts again: it goes on where it was, without a hole and without reading anew."""
    factory = TapeFactory()
    async with connected(tcp_server) as client:
        await TapeWriter(client, await create_tape(client), factory).baseline()
    with consumer(node_directory, tcp_server.tcp_url, [CODE]) as follower:
        await told(follower, "joined")
        tcp_server.kill()
        tcp_server.start()
        async with connected(tcp_server) as client:
            await TapeWriter(client, Keys(), factory).change(3)
        await until(lambda: follower.seq(CODE) == 4, timeout_s=30)
        await follower.end()
    assert (len(follower.told("joined")), len(follower.told("applied")), follower.told("reread")) == (1, 3, [])


@pytest.mark.server
async def test_the_consumer_gives_up_what_redis_has_lost(node_directory: Path, tcp_server: TcpServer) -> None:
    """Redis comes back without what was read: the consumer joins again and holds nothing that the store has not."""
    factory = TapeFactory()
    async with connected(tcp_server) as client:
        await TapeWriter(client, await create_tape(client), factory).baseline()
    with consumer(node_directory, tcp_server.tcp_url, [CODE]) as follower:
        await told(follower, "joined")
        async with connected(tcp_server) as client:
            await client.flushall()
            await create_tape(client)
        tcp_server.kill()
        tcp_server.start()
        await until(lambda: len(follower.told("joined")) == 2, timeout_s=30)
        assert (await follower.end())["books"] == {}


async def told(follower: Consumer, what: str) -> None:
    """Return once the consumer has told of something of that sort."""
    await until(lambda: follower.told(what), timeout_s=30)


def connected(server: RedisServer) -> Any:
    """A client of a test's own server, closed with the block."""
    client: Any = connect(server.url, command_timeout_s=10)
    return client
