"""A simulated gateway that misbehaves, and what it logs of its answers."""

import asyncio
import json
from pathlib import Path

import pytest

from brokertape.gateway.framing import Frame
from brokertape.gateway.messages import ProtoId
from brokertape.simulator import GatewayServer
from support.raw_client import RawClient, opened, top_ten_request
from support.simulators import CODES, simulator_settings

TOP_TEN = ProtoId.QOT_GET_TOP_TEN_BUY_SELL_BROKERS


async def burst(client: RawClient, count: int) -> list[Frame]:
    """The replies to requests sent in one go."""
    for _ in range(count):
        await client.send(TOP_TEN, top_ten_request())
    return [await client.frame() for _ in range(count)]


async def test_a_dropped_reply_never_comes_and_the_next_does() -> None:
    """The session goes on; the request has counted."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as client:
        server.misbehaviour.drop_replies()
        lost = await client.send(TOP_TEN, top_ten_request())
        reply = await client.top_ten()
        assert reply.ret_type == 0
        assert lost == 2


async def test_a_cut_reply_ends_the_connection_in_mid_frame() -> None:
    """Half of the bytes, then the end; a new connection is served."""
    async with GatewayServer(simulator_settings()) as server:
        server.misbehaviour.cut_replies()
        async with opened(server.port) as client:
            with pytest.raises(EOFError, match="mid-frame"):
                await client.top_ten()
        async with opened(server.port) as client:
            assert (await client.top_ten()).ret_type == 0


async def test_jitter_never_reorders() -> None:
    """Replies to a burst come in the order of the requests, later than without jitter."""
    async with GatewayServer(simulator_settings(jitter_ms=60)) as server, opened(server.port) as client:
        began_s = server.now_s
        frames = await burst(client, 20)
        assert [frame.serial_no for frame in frames] == list(range(2, 22))
        assert server.now_s - began_s > 0.06


async def test_a_stall_holds_up_everything_behind_it() -> None:
    """Told at run time that every message stalls, a request takes both ways' stalls."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as client:
        server.misbehaviour.stall_probability, server.misbehaviour.stall_ms = 1.0, 200.0
        began_s = server.now_s
        await client.top_ten()
        assert server.now_s - began_s >= 0.4


async def test_brokers_can_be_shown_under_one_name() -> None:
    """The two largest buyers stand there twice by one name, with numbers of their own."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as client:
        first, second = (item.broker_name for item in server.market.table("HK.00700").brokers[:2])
        server.misbehaviour.show_as("HK.00700", {second: first})
        rows = (await client.top_ten()).s2c.broker_list
        assert rows[0].broker_name == rows[1].broker_name == first
        assert rows[0].net_vol != rows[1].net_vol


async def test_the_log_holds_every_answer_sent_as_it_was_sent(tmp_path: Path) -> None:
    """Line by line what the client read: rows, refusals, past days; a reply that was lost is not there."""
    log = tmp_path / "answers.jsonl"
    async with GatewayServer(simulator_settings(log_file=log)) as server, opened(server.port) as client:
        replies = [await client.top_ten(code.removeprefix("HK.")) for code in CODES]
        replies += [await client.top_ten(days_before=1), await client.top_ten("99999")]
        server.misbehaviour.drop_replies()
        await client.send(TOP_TEN, top_ten_request())
        replies.append(await client.top_ten("00005"))
        lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["code"] for line in lines] == [*CODES, "HK.00700", "HK.99999", "HK.00005"]
    assert [line["days_before"] for line in lines] == [0, 0, 0, 1, 0, 0]
    for line, reply in zip(lines, replies, strict=True):
        assert (line["ret_type"], line["ret_msg"]) == (reply.ret_type, reply.ret_msg)
        assert line["received_ms"] <= line["sent_ms"]
        assert (line["data_time"] or 0) == reply.s2c.data_time
        sent = [{field.name: value for field, value in row.ListFields()} for row in reply.s2c.broker_list]
        assert sent == [{name: value for name, value in row.items() if value is not None} for row in line["brokers"]]


async def test_a_client_that_reads_nothing_harms_nobody() -> None:
    """While it floods the gateway others are served, and its connection can be dropped at once."""
    async with GatewayServer(simulator_settings(limit=100_000, speed=600.0)) as server, opened(server.port) as deaf:
        await deaf.subscribe(*(code.removeprefix("HK.") for code in CODES))
        flood = asyncio.create_task(_flood(deaf))
        async with opened(server.port) as client:
            for _ in range(5):
                assert (await client.top_ten()).ret_type == 0
        async with asyncio.timeout(5):
            await server.restart()
            with pytest.raises(ConnectionError):
                await flood


async def _flood(client: RawClient) -> None:
    while True:
        await client.send(TOP_TEN, top_ten_request())
