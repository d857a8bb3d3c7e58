"""What one poll costs: reply → parse → diff → commit, each stage's time, and the CPU of the whole.

Beside them, in the same run on the same server: the same commits as bare EVALSHA calls of ready-made bytes, which is
the floor. Shows nothing of a network, nor of a gateway.
"""

import asyncio
import statistics
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brokertape.cli.redis_server import RedisServer
from brokertape.gateway import replies
from brokertape.gateway.encryption import PlainCipher
from brokertape.gateway.framing import FrameDecoder, encode_frame, open_frame
from brokertape.gateway.messages import ProtoId, parse_response
from brokertape.gateway_pb.v1 import quote_pb2
from brokertape.publisher import commit as commit_module
from brokertape.publisher.commit import BookStore, Committed
from brokertape.publisher.snapshot import Snapshot
from brokertape.publisher.step import Append, Base, Step, next_step
from brokertape.simulator import replies as simulated_replies
from brokertape.simulator.instruments import KNOWN
from brokertape.simulator.market_model import MarketModel, MarketSettings
from brokertape.simulator.trading_calendar import TradingCalendar
from brokertape.tape.connection import connect
from brokertape.tape.keys import Keys

CODE = "HK.00700"
TOP_TEN = ProtoId.QOT_GET_TOP_TEN_BUY_SELL_BROKERS
STAGES = ("parse", "diff", "commit", "all")
PLAIN = PlainCipher()


def reply_frames(count: int) -> list[bytes]:
    """Replies of a busy code as they come over the wire, a second of market between them."""
    begin_s = TradingCalendar().last_opening(time.time()) + 1800
    market = MarketModel(MarketSettings(instruments=KNOWN[:1], trades_per_s=5.0), begin_s)
    frames = []
    for second in range(count):
        market.advance(begin_s + second)
        response = quote_pb2.QotGetTopTenBuySellBrokersResponse(
            ret_type=0, s2c=simulated_replies.top_ten(market.table(CODE))
        )
        frames.append(encode_frame(TOP_TEN, second, response.SerializeToString(), PLAIN))
    return frames


def parse(frame_bytes: bytes, now: int) -> Snapshot:
    """Bytes to a snapshot."""
    (frame,) = FrameDecoder().receive_data(frame_bytes)
    reply = parse_response(frame.proto_id, open_frame(frame, PLAIN))
    return Snapshot.of(replies.top_ten_brokers(reply, CODE, 0), now - 5, now)


async def stages(url: str, frames: Sequence[bytes]) -> tuple[dict[str, list[float]], list[list[Any]], float]:
    """Time of each stage per poll (s), the commits' arguments, and CPU seconds per poll."""
    times: dict[str, list[float]] = {stage: [] for stage in STAGES}
    arguments: list[list[Any]] = []
    client = connect(url)
    store, base = BookStore(client, Keys()), Base(None)
    cpu_s = time.process_time()
    for frame_bytes in frames:
        now = time.time_ns() // 1_000_000
        began = time.perf_counter()
        snapshot = parse(frame_bytes, now)
        parsed = time.perf_counter()
        step: Step = next_step(base, snapshot, commit=uuid.uuid4().hex, source="/opend/bench", now=now)
        judged = time.perf_counter()
        if not isinstance(step, Append):
            continue
        written = await store.commit(base.book, step)
        done = time.perf_counter()
        assert isinstance(written, Committed)
        arguments.append(commit_module._arguments(base.book, step))
        base = Base(written.book)
        for stage, seconds in zip(STAGES, (parsed - began, judged - parsed, done - judged, done - began), strict=True):
            times[stage].append(seconds)
    cpu_s = (time.process_time() - cpu_s) / len(frames)
    await client.aclose()
    return times, arguments, cpu_s


async def bare(url: str, arguments: Sequence[list[Any]]) -> list[float]:
    """The same commits in the same order, ready-made, on another tape of the same server."""
    client, keys = connect(url), Keys("bare")
    names = [keys.book(CODE), keys.tape_of(CODE), keys.codes(keys.partition(CODE))]
    sha = await client.script_load(commit_module._COMMIT.text)
    times = []
    for args in arguments:
        began = time.perf_counter()
        status, _, _ = await client.evalsha(sha, len(names), *names, *args)
        times.append(time.perf_counter() - began)
        assert status == b"OK"
    await client.aclose()
    return times


def quantiles_us(times: Sequence[float]) -> tuple[float, float]:
    """p50 and p99 in microseconds."""
    cuts = statistics.quantiles(times, n=100)
    return cuts[49] * 1e6, cuts[98] * 1e6


def run(polls: int, rounds: int) -> None:
    """Ours and bare in turn, `rounds` times; all rounds are put together."""
    frames = reply_frames(polls)
    ours: dict[str, list[float]] = {stage: [] for stage in STAGES}
    floor: list[float] = []
    cpu: list[float] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="bt") as directory, RedisServer(Path(directory)) as server:
            times, arguments, cpu_s = asyncio.run(stages(server.url, frames))
            floor += asyncio.run(bare(server.url, arguments))
        cpu.append(cpu_s)
        for stage in STAGES:
            ours[stage] += times[stage]
    report(ours, floor, cpu)


def report(ours: dict[str, list[float]], floor: list[float], cpu: list[float]) -> None:
    """The table: µs per poll, and ratios to the bare EVALSHA of the same bytes."""
    floor_p50, floor_p99 = quantiles_us(floor)
    print(f"\none poll that changed something, {len(floor)} of them (µs)")
    print(f"{'stage':>22} {'p50':>8} {'p99':>8} {'p50 / bare':>11} {'p99 / bare':>11}")
    for stage in STAGES:
        p50, p99 = quantiles_us(ours[stage])
        print(f"{stage:>22} {p50:>8.0f} {p99:>8.0f} {p50 / floor_p50:>11.2f} {p99 / floor_p99:>11.2f}")
    print(f"{'bare EVALSHA':>22} {floor_p50:>8.0f} {floor_p99:>8.0f} {1:>11.2f} {1:>11.2f}")
    rate = sum(floor) / sum(ours["commit"])
    print(f"commit rate / bare EVALSHA rate: {rate:.2f}")
    print(f"CPU of ours per poll: {statistics.median(cpu) * 1e3:.2f} ms")
