"""From the gateway's reply at the publisher to the handler of a subscriber in another process, stage by stage.

The publisher is the product's own `Poller`, settling its slot of the request budget included; its gateway hands over
ready-made bytes. The subscriber is `subscribe` as its user writes it. In turns with it, on the same Redis: bare
redis-py, XADD of the same payloads → blocked XREAD in another process, by the same `connect`.

Shows nothing of a network. What is awaited arrives after an idle gap, as in service: an idle CPU wakes slowly, the more
so in a virtual machine, and both pay for it, at every process an event passes.
"""

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, cast
from unittest.mock import patch

from brokertape.cli.redis_server import RedisServer, die_with_parent
from brokertape.gateway.port import Gateway
from brokertape.gateway.values import TopTenBrokers
from brokertape.publisher import commit as commit_module
from brokertape.publisher import poll as poll_module
from brokertape.publisher.budget import Budget, RedisBudgetStore
from brokertape.publisher.clock import SystemClock
from brokertape.publisher.commit import BookStore, Committed, Conflict
from brokertape.publisher.poll import Poller
from brokertape.publisher.snapshot import Snapshot
from brokertape.publisher.step import Append, Touch, next_step
from brokertape.publisher.window import Limit, Pace
from brokertape.simulator.instruments import KNOWN
from brokertape.tape.book import Book
from brokertape.tape.connection import RedisClient, connect
from brokertape.tape.keys import Keys
from far_side import BARE_STREAM, Stamped, Stamps
from pipeline import CODE, quantiles_us, reply_frames, table_of
from support.tape_factory import create_tape
from support.windows import fixed_window

WARM_UP = 20  # of each, not counted
TARGET_P50, TARGET_P99 = 1.5, 2.0
FAR_SIDE_TIMEOUT_S = 30.0
PAYLOAD = 9  # its place among the arguments of a commit's script
NO_LIMIT = Limit(1_000_000)
NO_PACE = Pace(1_000_000, 1.0)

STAGES = {
    "parse": "bytes to the gateway's table",
    "settle": "the slot of the budget: a write to Redis",
    "diff": "snapshot, diff, event",
    "encode": "entry and book",
    "commit, wake": "script sent, to entry read by the subscriber",
    "decode": "JSON to an event",
    "apply": "rules, rows, hash, view",
    "hand over": "to the first line of the handler",
    "not explained": "between the stages",
}
REPLY = "(commit)"  # beside the way to the handler
TOTAL, BARE = "total", "bare"
NOTES = {
    **STAGES,
    TOTAL: "",
    REPLY: "script sent, to its reply at the publisher: no part of the total",
    BARE: "XADD sent, to entry read",
}


class FarSide:
    """The process that receives; it ends with its owner at the latest."""

    def __init__(self, mode: str, url: str, codes: Sequence[str] = ()) -> None:
        command = [sys.executable, str(Path(__file__).with_name("far_side.py")), mode, url, *codes]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent
        )

    def wait_ready(self) -> None:
        """Return once it is listening."""
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError("the other process ended before it was ready")

    def stamps(self, sent: int) -> Stamps:
        """What it has when it has received all that was sent."""
        received, _ = self._process.communicate(f"{sent}\n", FAR_SIDE_TIMEOUT_S)
        if self._process.returncode:
            raise RuntimeError("the other process ended before it had all that was sent")
        return cast("Stamps", json.loads(received))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


class ReadyReplies:
    """The gateway: its reply has just arrived, in bytes."""

    def __init__(self, frames: Iterator[bytes]) -> None:
        self._frames = frames
        self.began = 0
        self.ended = 0

    async def top_ten_brokers(self, _code: str, _days_before: int = 0) -> TopTenBrokers:
        """The next reply, parsed."""
        frame_bytes = next(self._frames)
        self.began = time.monotonic_ns()
        table = table_of(frame_bytes)
        self.ended = time.monotonic_ns()
        return table


class TimedStore(BookStore):
    """Books in Redis, and when the last commit was answered."""

    answered = 0

    async def commit(self, held: Book | None, step: Append | Touch) -> Committed | Conflict:
        """As ever."""
        committed = await super().commit(held, step)
        self.answered = time.monotonic_ns()
        return committed


@dataclass
class Sent:
    """Stamps (ns) of what was sent, by event id and by entry id, and the payloads of the events."""

    ours: Stamps = field(default_factory=dict)
    bare: Stamps = field(default_factory=dict)
    payloads: list[bytes] = field(default_factory=list)


class Publisher:
    """A poller with a watch on every step of it."""

    def __init__(self, client: RedisClient, frames: Iterator[bytes], sent: Sent) -> None:
        self._sent = sent
        self._gateway = ReadyReplies(frames)
        self._books = TimedStore(client, Keys())
        clock = SystemClock()
        window = RedisBudgetStore(
            client, Keys(), fixed_window(Keys().budget("bench")), NO_LIMIT, 5.0, tape_existed=False
        )
        self._budget = Budget(window, clock, NO_LIMIT, 5.0, NO_PACE)
        self.poller = Poller(cast("Gateway", self._gateway), self._books, clock, source="/opend/bench")
        self._snapshot = Stamped(Snapshot.of)
        self._step = Stamped(next_step)
        self._encode = Stamped(commit_module._arguments)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """While this lasts, the poller's steps are timed where it takes them."""
        with (
            patch.object(Snapshot, "of", self._snapshot),
            patch.object(poll_module, "next_step", self._step),
            patch.object(commit_module, "_arguments", self._encode),
        ):
            yield

    async def publish_one(self, gap_s: float) -> None:
        """Poll until something changed. The slot is taken before the gap, as in service before the gateway's time."""
        while True:
            slot = await self._budget.acquire()
            await asyncio.sleep(gap_s)
            await self.poller.poll(CODE, slot)
            if isinstance(self._step.result, Append):
                break
        assert self._encode.result is not None
        self._sent.payloads.append(cast("bytes", self._encode.result[PAYLOAD]))
        self._sent.ours[self._step.result.event.id] = [
            *(self._gateway.began, self._gateway.ended, self._snapshot.began, self._step.ended),
            *(self._encode.began, self._encode.ended, self._books.answered),
        ]


async def begin_tape(url: str, first_frame: bytes) -> None:
    """A tape with a baseline on it, so that a subscriber has something to join."""
    client = connect(url)
    await create_tape(client)
    publisher = Publisher(client, iter([first_frame]), Sent())
    with publisher.watched():
        await publisher.poller.prepare(CODE)
        await publisher.publish_one(0)
    await client.aclose()


async def publish(url: str, frames: Iterator[bytes], events: int, rounds: int, gap_s: float) -> Sent:
    """`events` of ours and as many bare entries with their payloads, in turns."""
    sent, client = Sent(), connect(url)
    publisher = Publisher(client, frames, sent)
    with publisher.watched():
        await publisher.poller.prepare(CODE)
        for _ in range(rounds):
            before = len(sent.payloads)
            for _ in range(-(-(events + WARM_UP) // rounds)):
                await publisher.publish_one(gap_s * random.uniform(0.5, 1.5))
            for payload in sent.payloads[before:]:
                await asyncio.sleep(gap_s * random.uniform(0.5, 1.5))
                began = time.monotonic_ns()
                entry_id = cast("bytes", await client.xadd(BARE_STREAM, {"payload": payload}))
                sent.bare[entry_id.decode()] = [began]
    await client.aclose()
    return sent


def measure(is_durable: bool, codes: Sequence[str], events: int, rounds: int, gap_s: float) -> dict[str, list[float]]:
    """Name of the row → times (s), on a server of its own."""
    frames = reply_frames((events + WARM_UP + rounds) * 5 // 4)  # a few of them change nothing
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bt")))
        server = stack.enter_context(RedisServer(directory / "r", is_durable=is_durable))
        asyncio.run(begin_tape(server.url, frames[0]))
        ours = stack.enter_context(FarSide("follow", server.url, codes))
        bare = stack.enter_context(FarSide("bare", server.url))
        ours.wait_ready()
        bare.wait_ready()
        sent = asyncio.run(publish(server.url, iter(frames[1:]), events, rounds, gap_s))
        return joined(sent, ours.stamps(len(sent.ours)), bare.stamps(len(sent.bare)))


def joined(sent: Sent, ours: Stamps, bare: Stamps) -> dict[str, list[float]]:
    """Both sides' stamps put together: what each took (s)."""
    rows = [row_of(sent.ours[name], ours[name]) for name in list(sent.ours)[WARM_UP:]]
    times = {name: [row[name] / 1e9 for row in rows] for name in (*STAGES, REPLY, TOTAL)}
    times[BARE] = [(bare[name][0] - sent.bare[name][0]) / 1e9 for name in list(sent.bare)[WARM_UP:]]
    return times


def row_of(sent: Sequence[int], received: Sequence[int]) -> dict[str, int]:
    """What one event took (ns)."""
    replied, parsed, settled, judged, encoding, encoded, answered = sent
    read, decoding, decoded, applied, handled = received
    total = handled - replied
    row = {
        "parse": parsed - replied,
        "settle": settled - parsed,
        "diff": judged - settled,
        "encode": encoded - encoding,
        "commit, wake": read - encoded,
        "decode": decoded - decoding,
        "apply": applied - decoded,
        "hand over": handled - applied,
    }
    return {**row, "not explained": total - sum(row.values()), TOTAL: total, REPLY: answered - encoded}


def run(events: int, rounds: int, rate: float, codes: int) -> None:
    """Both servers, one after the other."""
    followed = [instrument.code for instrument in KNOWN[:codes]]
    load = os.getloadavg()[0]
    measured = [measure(is_durable, followed, events, rounds, 1 / rate) for is_durable in (True, False)]
    print(f"\nreply at the publisher → handler in another process (µs): {len(measured[0][TOTAL])} polls that changed")
    print(f"something, {rate:.0f} a second, a subscriber of {len(followed)} codes; bare in turns with them")
    print(f"load before {load:.1f}, after {os.getloadavg()[0]:.1f}, on {os.cpu_count()} CPUs")
    report(*measured)


def report(durable: dict[str, list[float]], fleeting: dict[str, list[float]]) -> None:
    """The stages, then the total beside bare. Means add up; quantiles need not."""
    print(f"{'':>14} {'as shipped (flush per write)':>26} {'nothing on disk':>26}")
    print(f"{'stage':>14} {'p50':>8} {'p99':>8} {'mean':>8}  {'p50':>8} {'p99':>8} {'mean':>8}")
    for name in (*STAGES, TOTAL, REPLY, BARE):
        print(f"{name:>14} {cells(durable[name])}  {cells(fleeting[name])}  {NOTES[name]}")
    print(f"{'total / bare':>14} {ratios(durable)}  {ratios(fleeting)}")
    for number, quantile, target in ((0, "p50", TARGET_P50), (1, "p99", TARGET_P99)):
        ratio = ratio_of(durable, number)
        print(f"{quantile}: {ratio:.2f} × bare, target {target}: {'met' if ratio <= target else 'MISSED'}")


def cells(times: Sequence[float]) -> str:
    """p50, p99 and mean in µs."""
    p50, p99 = quantiles_us(times)
    return f"{p50:>8.0f} {p99:>8.0f} {statistics.mean(times) * 1e6:>8.0f}"


def ratios(times: dict[str, list[float]]) -> str:
    """The same three as ratios."""
    mean = statistics.mean(times[TOTAL]) / statistics.mean(times[BARE])
    return f"{ratio_of(times, 0):>8.2f} {ratio_of(times, 1):>8.2f} {mean:>8.2f}"


def ratio_of(times: dict[str, list[float]], number: int) -> float:
    """Ours to bare at one of the two quantiles."""
    return quantiles_us(times[TOTAL])[number] / quantiles_us(times[BARE])[number]
