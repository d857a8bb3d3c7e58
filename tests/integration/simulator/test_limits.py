"""The frequency limit over real connections, counted on receipt."""

import asyncio
import json
from pathlib import Path
from typing import Any

from brokertape.gateway.messages import ProtoId
from brokertape.gateway_pb.v1 import quote_pb2 as quote
from brokertape.gateway_pb.v1.common_pb2 import Security
from brokertape.simulator import GatewayServer, Language
from support.raw_client import opened, top_ten_request
from support.simulators import simulator_settings

TOP_TEN = ProtoId.QOT_GET_TOP_TEN_BUY_SELL_BROKERS


async def test_thirty_are_answered_over_all_connections_and_the_next_is_refused() -> None:
    """Real-time and past days share the limit, failed ones count, other calls do not."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as a, opened(server.port) as b:
        for n in range(10):
            assert (await a.top_ten()).ret_type == 0
            assert (await b.top_ten(days_before=1)).ret_type == 0
            assert (await b.top_ten("99999")).ret_type == -1
            assert (await a.global_state()).ret_type == 0, n
        for client in (a, b):
            refused = await client.top_ten()
            assert refused.ret_type == -1
            assert refused.ret_msg == "获取十大买卖经纪商频率太高，请求失败，每30秒最多30次。"
        assert (await a.global_state()).ret_type == 0


async def test_sixty_snapshots_are_answered_over_all_connections_apart_from_the_lists() -> None:
    """A list asked for in between takes none of them, and theirs take none of the lists'."""
    c2s = quote.QotGetSecuritySnapshotC2S(security_list=[Security(market=1, code="00700")])
    request = quote.QotGetSecuritySnapshotRequest(c2s=c2s)
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as a, opened(server.port) as b:
        for _ in range(30):
            for client in (a, b):
                assert (await client.ask(ProtoId.QOT_GET_SECURITY_SNAPSHOT, request)).ret_type == 0
            assert (await a.top_ten()).ret_type == 0
        for client in (a, b):
            refused = await client.ask(ProtoId.QOT_GET_SECURITY_SNAPSHOT, request)
            assert refused.ret_msg == "获取市场快照频率太高，请求失败，每30秒最多60次。"


async def test_the_refusal_names_the_limit_it_was_set_to() -> None:
    """In English when told so."""
    settings = simulator_settings(limit=1, window_s=10, language=Language.ENGLISH)
    async with GatewayServer(settings) as server, opened(server.port) as client:
        await client.top_ten()
        text = (await client.top_ten()).ret_msg
        assert text.endswith("request failed due to high frequency. Maximum 1 times per 10 seconds.")


async def test_a_request_counts_when_it_is_received_not_when_it_is_sent(tmp_path: Path) -> None:
    """Two that leave together after a long way count from their arrival, and answers say when that was."""
    log = tmp_path / "log"
    async with GatewayServer(simulator_settings(latency_ms=150, log_file=log)) as server, opened(server.port) as client:
        sent_s = server.now_s
        await client.top_ten()
        assert server.now_s - sent_s >= 0.3
        (line,) = read(log)
        assert 140 <= line["sent_ms"] - line["received_ms"] <= 1000


async def test_the_log_of_a_hungry_client_keeps_the_limit(tmp_path: Path) -> None:
    """Of the admitted ones every third is more than a window after the one two before; none is refused without need."""
    log, window_ms = tmp_path / "log", 300
    settings = simulator_settings(limit=2, window_s=window_ms / 1000, log_file=log, jitter_ms=20)
    async with GatewayServer(settings) as server, opened(server.port) as client:
        until_s = server.now_s + 2
        while server.now_s < until_s:
            await client.top_ten()
            await asyncio.sleep(0.005)
    lines = read(log)
    admitted = [line["received_ms"] for line in lines if line["ret_type"] == 0]
    assert len(admitted) >= 8
    assert all(later - earlier >= window_ms for earlier, later in zip(admitted, admitted[2:], strict=False))
    for line in lines:
        if line["ret_type"] != 0:
            recent = [at for at in admitted if 0 <= line["received_ms"] - at <= window_ms + 2]
            assert len(recent) >= 2


async def test_pipelined_requests_are_counted_one_by_one() -> None:
    """Forty sent in one go: thirty answers, ten refusals, in order."""
    async with GatewayServer(simulator_settings()) as server, opened(server.port) as client:
        for _ in range(40):
            await client.send(TOP_TEN, top_ten_request())
        frames = [await client.frame() for _ in range(40)]
        assert [frame.serial_no for frame in frames] == sorted(frame.serial_no for frame in frames)
        assert server.rules.top_ten_window.refused == 10


def read(log: Path) -> list[dict[str, Any]]:
    """The lines of a log."""
    return [json.loads(line) for line in log.read_text().splitlines()]
