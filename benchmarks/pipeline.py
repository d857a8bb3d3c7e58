"""What one poll costs: reply → parse → diff → encode → commit, each stage's time, and the CPU of the whole.

Beside them, in the same run on the same server: the same commits as bare EVALSHA calls of ready-made bytes, which is
the floor. Shows nothing of a network, nor of a gateway.
"""

import asyncio
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from brokertape.cli.redis_server import RedisServer
from brokertape.gateway import replies
from brokertape.gateway.encryption import PlainCipher
from brokertape.gateway.framing import FrameDecoder, encode_frame, open_frame
from brokertape.gateway.messages import ProtoId, parse_response
from brokertape.gateway.values import TopTenBrokers
from brokertape.gateway_pb.v1 import quote_pb2
from brokertape.publisher import commit as commit_module
from brokertape.publisher.commit import BookStore, Committed
from brokertape.publisher.snapshot import Snapshot
from brokertape.publisher.step import Append, Base, Step, Touch, next_step
from brokertape.simulator import replies as simulated_replies
from brokertape.simulator.instruments import KNOWN
from brokertape.simulator.market_model import MarketModel, MarketSettings
from brokertape.simulator.trading_calendar import TradingCalendar
from brokertape.tape.book import Book
from brokertape.tape.connection import connect
from brokertape.tape.keys import Keys

CODE = "HK.00700"
TOP_TEN = ProtoId.QOT_GET_TOP_TEN_BUY_SELL_BROKERS
STAGES = ("parse", "diff", "encode", "commit", "all")
BARE = "bare EVALSHA"
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


def table_of(frame_bytes: bytes) -> TopTenBrokers:
    """Bytes to the gateway's table."""
    (frame,) = FrameDecoder().receive_data(frame_bytes)
    return replies.top_ten_brokers(parse_response(frame.proto_id, open_frame(frame, PLAIN)), CODE, 0)


def parse(frame_bytes: bytes, now: int) -> Snapshot:
    """Bytes to a snapshot."""
    return Snapshot.of(table_of(frame_bytes), now - 5, now)


async def measure(url: str, frames: Sequence[bytes]) -> tuple[dict[str, list[float]], float]:
    """Time of each stage and of the bare call per poll (s), and CPU seconds of ours per poll."""
    times: dict[str, list[float]] = {name: [] for name in (*STAGES, BARE)}
    client = connect(url)
    store, floor, base, cpu_s = BookStore(client, Keys()), await BareCommit.on(client), Base(None), 0.0
    with patch.object(commit_module, "_arguments", TimedEncode(commit_module._arguments)) as encode:
        for frame_bytes in frames:
            now, cpu_began = time.time_ns() // 1_000_000, time.process_time()
            began = time.perf_counter()
            snapshot = parse(frame_bytes, now)
            parsed = time.perf_counter()
            step: Step = next_step(base, snapshot, commit=uuid.uuid4().hex, source="/opend/bench", now=now)
            judged = time.perf_counter()
            if not isinstance(step, Append):
                continue
            written = await store.commit(base.book, step)
            done = time.perf_counter()
            cpu_s += time.process_time() - cpu_began
            assert isinstance(written, Committed)
            parse(frame_bytes, now)  # the bare call, too, finds the caches as a poll leaves them
            times[BARE].append(await floor.commit(encode.arguments))
            base = Base(written.book)
            poll = parsed - began, judged - parsed, encode.took_s, done - judged - encode.took_s, done - began
            for stage, seconds in zip(STAGES, poll, strict=True):
                times[stage].append(seconds)
    await client.aclose()
    return times, cpu_s / len(times[BARE])


@dataclass
class TimedEncode:
    """The commit's own encoding, where the commit calls it: how long the last took, and what came out."""

    encode: Callable[[Book | None, Append | Touch], list[str | bytes]]
    took_s: float = 0.0
    arguments: Sequence[str | bytes] = ()

    def __call__(self, held: Book | None, step: Append | Touch) -> Sequence[str | bytes]:
        """Encode, with a watch on it."""
        began = time.perf_counter()
        self.arguments = self.encode(held, step)
        self.took_s = time.perf_counter() - began
        return self.arguments


@dataclass
class BareCommit:
    """The same commits in the same order, ready-made bytes, on another tape of the same server."""

    client: Any
    sha: str
    keys: list[str]

    @classmethod
    async def on(cls, client: Any) -> "BareCommit":
        """On that client's server."""
        keys = Keys("bare")
        names = [keys.book(CODE), keys.tape_of(CODE), keys.codes(keys.partition(CODE))]
        return cls(client, await client.script_load(commit_module._COMMIT.text), names)

    async def commit(self, arguments: Sequence[Any]) -> float:
        """How long the call took (s)."""
        began = time.perf_counter()
        status, _, _ = await self.client.evalsha(self.sha, len(self.keys), *self.keys, *arguments)
        assert status == b"OK"
        return time.perf_counter() - began


def quantiles_us(times: Sequence[float]) -> tuple[float, float]:
    """p50 and p99 in microseconds."""
    cuts = statistics.quantiles(times, n=100)
    return cuts[49] * 1e6, cuts[98] * 1e6


def run(polls: int, rounds: int) -> None:
    """All rounds, each on a fresh server, put together."""
    frames = reply_frames(polls)
    times: dict[str, list[float]] = {name: [] for name in (*STAGES, BARE)}
    cpu: list[float] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="bt") as directory, RedisServer(Path(directory)) as server:
            measured, cpu_s = asyncio.run(measure(server.url, frames))
        cpu.append(cpu_s)
        for name, seconds in measured.items():
            times[name] += seconds
    report(times, cpu)


def report(times: dict[str, list[float]], cpu: list[float]) -> None:
    """The table: µs per poll, and ratios to the bare EVALSHA of the same bytes."""
    floor_p50, floor_p99 = quantiles_us(times[BARE])
    print(f"\none poll that changed something, {len(times[BARE])} of them (µs)")
    print(f"{'stage':>22} {'p50':>8} {'p99':>8} {'p50 / bare':>11} {'p99 / bare':>11}")
    for name in (*STAGES, BARE):
        p50, p99 = quantiles_us(times[name])
        print(f"{name:>22} {p50:>8.0f} {p99:>8.0f} {p50 / floor_p50:>11.2f} {p99 / floor_p99:>11.2f}")
    print(f"commit rate / bare EVALSHA rate: {sum(times[BARE]) / sum(times['commit']):.2f}")
    print(f"CPU of ours per poll: {statistics.median(cpu) * 1e3:.2f} ms")
