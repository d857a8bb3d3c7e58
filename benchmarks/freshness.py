"""From the true change of a list to whoever waits for it, in real time: `brokertape publish` beside a user's loop.

120 codes whose lists change once a second in all, on simulated gateways that show one and the same market: half an
hour after the open, lists 0.2 to 1 s behind their trades, the limits a gateway has by default, every answer at once
(which suits the loop: a round trip would slow it, and hardly the publisher). Ours is the command as it ships, on a real
Redis; the peer is the vendor's SDK in a process of its own, one code after the other, a second's sleep after each
reply. They run side by side through the same minutes of the same market, from its first second, with nothing known.

The rule: a change is any number of any row that differs; when it happened is what another market with the same settings
says (see list_changes.py). It is found when a list that has it, or a later one of its code, is there to be used: on the
tape, by the time in the entry's id, which Redis gave it; in the loop, when the SDK's call has returned. Which list is
which is told by its content alone. All processes read one host's clock. Changes of the first four minutes of seven
count, and each is followed for 150 s: one not found by then counts as found then. Other lengths scale all of these; a
run of less than four minutes is over before the loop has come round twice, so its ratio says little.

Shows nothing of a real market, whose changes come as they like, nor of a real gateway's round trips.
"""

import asyncio
import json
import math
import os
import random
import statistics
import sys
import tempfile
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from time import monotonic, time

import redis

from brokertape.cli.redis_server import RedisServer
from brokertape.simulator.clock import begin_s
from brokertape.simulator.market_model import MarketModel
from brokertape.simulator.server import GatewayServer
from brokertape.simulator.settings import SimulatorSettings
from brokertape.tape.changes import Table
from brokertape.tape.codec import decode_entry
from brokertape.tape.events import ChangeData, TapeEvent
from brokertape.tape.keys import Keys
from brokertape.tape.rows import Row
from list_changes import Found, Rows, Shown, TrueLists
from support.commands import Running, running

CODES = 120
START = "2026-05-08T10:00"
TRADES_PER_S = 1.1  # a day's mean; at this hour, over 20 seeds, the lists change 1.00 times a second
LIST_LAG_S = (0.2, 1.0)

MINUTES, COUNTED_MINUTES, FOLLOWED_S = 7, 4, 150.0  # of a run of that length; of others in proportion
TARGET = 5.0
WINDOW_S = 30.0
LOOK_EVERY_S = 1.0

OURS, BLIND, LOOP = "publish", "publish, no snapshots", "SDK loop"
PREFIXES = {OURS: "ours", BLIND: "blind"}


@dataclass(frozen=True, slots=True)
class Use:
    """What a gateway was asked: lists in all, most of them in any 30 s, and requests refused, snapshots included."""

    polls: int
    most: int
    refused: int


@dataclass(frozen=True, slots=True)
class Peer:
    """What one of them found, and at what expense. Delays in s, by the minute of the change."""

    by_minute: list[list[float]]
    not_found: int
    use: Use

    @property
    def delays_s(self) -> list[float]:
        """Of all changes."""
        return [delay_s for of_minute in self.by_minute for delay_s in of_minute]

    @property
    def mean_s(self) -> float:
        """Of all changes."""
        return statistics.mean(self.delays_s)


@dataclass(frozen=True, slots=True)
class Measured:
    """One market, or several: over how long changes count (s), and what everybody found of them."""

    counted_s: float
    peers: dict[str, Peer]

    @property
    def changes(self) -> int:
        """How many there were: the same for everybody."""
        return len(self.peers[LOOP].delays_s)


@dataclass(frozen=True, slots=True)
class Run:
    """One market, and how long it is watched."""

    seed: int
    seconds: float
    directory: Path

    @property
    def settings(self) -> SimulatorSettings:
        """Of a gateway that shows it. The busy codes are anywhere among the others."""
        codes = [f"HK.{number:05}" for number in range(1, CODES + 1)]
        random.Random(self.seed).shuffle(codes)
        return SimulatorSettings(
            port=0,
            codes=tuple(codes),
            seed=self.seed,
            trades_per_s=TRADES_PER_S,
            start=START,
            list_lag_s=LIST_LAG_S,
        )

    @property
    def begins_s(self) -> float:
        """Its first moment, in s since 1970."""
        return begin_s(START, self.settings.calendar, time())

    @property
    def ends_s(self) -> float:
        """Its last one."""
        return self.begins_s + self.seconds

    @property
    def minute_s(self) -> float:
        """What a minute is in a run that may be shorter or longer."""
        return self.seconds / MINUTES

    @property
    def followed_s(self) -> float:
        """For how long a change is."""
        return FOLLOWED_S / 60 * self.minute_s

    def market(self) -> MarketModel:
        """The market at its first moment, always the same."""
        return MarketModel(self.settings.market(self.begins_s), self.begins_s)

    def log_of(self, peer: str) -> Path:
        """Where the gateway of a peer logs its answers."""
        return self.directory / f"{peer}.jsonl"

    @property
    def replies(self) -> Path:
        """Where the loop writes down what it got."""
        return self.directory / "replies.jsonl"


class Stage:
    """The gateways of one run, one for each peer, and the peers' processes."""

    def __init__(self, run: Run, redis_url: str, stack: AsyncExitStack) -> None:
        self._run = run
        self._redis_url = redis_url
        self._stack = stack
        self._market = run.market()
        self.gateways: dict[str, GatewayServer] = {}
        self._processes: dict[str, Running] = {}

    async def open(self, peers: Sequence[str]) -> None:
        """Open the market, then start everybody: none of the processes is ready at its first moment."""
        for peer in peers:
            settings = replace(self._run.settings, log_file=self._run.log_of(peer))
            gateway = GatewayServer(settings, self._market)
            self.gateways[peer] = await self._stack.enter_async_context(gateway)
        for peer in peers:
            if peer == LOOP:
                self._start_loop()
            else:
                self._start_publisher(peer)

    def market_s(self, peer: str, at_s: float) -> float:
        """The time on the market's clock of a peer's gateway when the host's said `at_s`."""
        return at_s + self.gateways[peer].rules.market_now_s() - time()

    async def pass_time(self, seconds: float) -> None:
        """Let everybody run for so long.

        Raises:
            RuntimeError: One of the processes has ended.
        """
        until_s = monotonic() + seconds
        while (left_s := until_s - monotonic()) > 0:
            await asyncio.sleep(min(left_s, LOOK_EVERY_S))
            for peer, process in self._processes.items():
                if process.process.poll() is not None:
                    raise RuntimeError(f"{peer} has ended: {process.err}")

    async def stop(self) -> None:
        """Kill the loop and stop the publishers as Ctrl-C does; the gateways answer on meanwhile."""
        for peer, process in self._processes.items():
            if peer == LOOP:
                process.process.kill()
            else:
                await asyncio.to_thread(process.interrupt)

    def use_of(self, peer: str) -> Use:
        """What its gateway counted."""
        answers = [json.loads(line) for line in self._run.log_of(peer).read_text().splitlines()]
        received_s = sorted(answer["received_ms"] / 1000 for answer in answers)
        rules = self.gateways[peer].rules
        refused = rules.top_ten_window.refused + rules.snapshot_window.refused
        return Use(len(received_s), max(_within_window(received_s), default=0), refused)

    def _start_publisher(self, peer: str) -> None:
        gateway = f"127.0.0.1:{self.gateways[peer].port}"
        arguments = ["--gateway", gateway, "--redis", self._redis_url, "--prefix", PREFIXES[peer]]
        flags = ["--no-snapshots"] if peer == BLIND else []
        codes = ["--codes", ",".join(self._run.settings.codes)]
        publisher = running(PREFIXES[peer], "publish", *arguments, *codes, *flags, directory=self._run.directory)
        self._processes[peer] = self._stack.enter_context(publisher)

    def _start_loop(self) -> None:
        program = (sys.executable, str(Path(__file__).with_name("sdk_loop.py")))
        arguments = [str(self.gateways[LOOP].port), str(self._run.replies), *sorted(self._run.settings.codes)]
        directory = self._run.directory
        loop = running("loop", *arguments, directory=directory, env={"HOME": str(directory)}, program=program)
        self._processes[LOOP] = self._stack.enter_context(loop)


def _within_window(received_s: Sequence[float]) -> Iterator[int]:
    """How many requests there were in the 30 s up to each of them."""
    for place, at_s in enumerate(received_s):
        yield place + 1 - bisect_right(received_s, at_s - WINDOW_S)


async def watch(run: Run, peers: Sequence[str]) -> Measured:
    """Let everybody run through the market, then look who found what."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(RedisServer(run.directory / "r"))
        stage = Stage(run, server.url, stack)
        await stage.open(peers)
        await stage.pass_time(run.seconds)
        await stage.stop()
        shown = {peer: list(shown_by(stage, run, server, peer)) for peer in peers}
        uses = {peer: stage.use_of(peer) for peer in peers}
    truth = TrueLists(run.market(), run.begins_s, run.ends_s)
    return Measured(
        COUNTED_MINUTES * run.minute_s, {peer: judged(run, truth.find(shown[peer]), uses[peer]) for peer in peers}
    )


def judged(run: Run, found: Sequence[Found], use: Use) -> Peer:
    """The delays that count."""
    by_minute: list[list[float]] = [[] for _ in range(COUNTED_MINUTES)]
    for one in found:
        minute = int((one.changed_at_s - run.begins_s) / run.minute_s)
        if minute < COUNTED_MINUTES:
            delay_s = run.followed_s if one.delay_s is None else one.delay_s
            by_minute[minute].append(min(delay_s, run.followed_s))
    not_found = sum(delay_s == run.followed_s for of_minute in by_minute for delay_s in of_minute)
    return Peer(by_minute, not_found, use)


def shown_by(stage: Stage, run: Run, server: RedisServer, peer: str) -> Iterator[Shown]:
    """Every list that a peer had to give, in the order of time, on the market's clock, until the end of the run."""
    to_market_s = stage.market_s(peer, 0.0)
    lists = replies_of(run.replies) if peer == LOOP else tape_of(server, PREFIXES[peer])
    for shown in lists:
        at_s = shown.at_s + to_market_s
        if at_s <= run.ends_s:
            yield replace(shown, at_s=at_s)


def replies_of(path: Path) -> Iterator[Shown]:
    """What the loop got, when its calls returned."""
    for line in path.read_text().splitlines():
        at_s, code, ret, rows = json.loads(line)
        if ret == 0:
            yield Shown(at_s, code, tuple(map(tuple, rows)))


def tape_of(server: RedisServer, prefix: str) -> Iterator[Shown]:
    """What stands on a tape, when it was put there."""
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        for tape in Keys(prefix).tapes():
            tables: dict[str, Table] = {}
            for entry_id, fields in client.xrange(tape):
                event = decode_entry(fields)
                assert isinstance(event, TapeEvent)
                yield Shown(_second_of(entry_id), event.subject, _after(event, tables))


def _second_of(entry_id: bytes) -> float:
    """When Redis gave the id: its clock counts whole ms."""
    return (int(entry_id.partition(b"-")[0]) + 1) / 1000


def _after(event: TapeEvent, tables: dict[str, Table]) -> Rows:
    if isinstance(event.data, ChangeData):
        tables[event.subject].apply(event.data.changes)
    else:
        tables[event.subject] = Table(event.data.rows)
    return tuple(map(_row_of, tables[event.subject].rows))


def _row_of(row: Row) -> tuple[str, str, int, float, float, float]:
    numbers = (row.net_vol or 0, row.avg_price or 0.0, row.total_vol or 0.0, row.total_turnover or 0.0)
    return row.side, row.broker_name, *numbers


def run(minutes: float, seeds: Sequence[int], with_blind: bool) -> None:
    """One market after the other, each watched by everybody at once.

    Args:
        minutes: How long each is watched, in real time.
        seeds: Which markets.
        with_blind: Whether a second publisher runs along that takes no market snapshots.
    """
    peers = [OURS, *([BLIND] if with_blind else []), LOOP]
    print(f"\nfreshness: from a list's change to its event, {CODES} codes, {minutes:g} minutes in real time a seed")
    print(f"load before {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    print(f"{'seed':>5} {'changes':>8} {'/s':>5}  {'':<21} {'mean s':>7} {'p95 s':>7} {'not found':>10}", end=" ")
    print(f"{'polls':>6} {'most in 30 s':>13} {'refused':>8}   mean s by minute", flush=True)
    measured = []
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="bt") as directory:
            measured.append(asyncio.run(watch(Run(seed, minutes * 60, Path(directory)), peers)))
        report(str(seed), measured[-1])
    report("all", together(measured))
    print(f"load after {os.getloadavg()[0]:.1f}")


def together(measured: Sequence[Measured]) -> Measured:
    """All changes of all markets alike."""
    return Measured(
        sum(one.counted_s for one in measured),
        {peer: _joined([one.peers[peer] for one in measured]) for peer in measured[0].peers},
    )


def _joined(peers: Sequence[Peer]) -> Peer:
    uses = [peer.use for peer in peers]
    return Peer(
        [[*chain(*of_minute)] for of_minute in zip(*(peer.by_minute for peer in peers), strict=True)],
        sum(peer.not_found for peer in peers),
        Use(sum(use.polls for use in uses), max(use.most for use in uses), sum(use.refused for use in uses)),
    )


def report(name: str, measured: Measured) -> None:
    """A line for everybody, then how much longer the loop took."""
    head = f"{name:>5} {measured.changes:>8} {measured.changes / measured.counted_s:>5.2f}"
    for peer, found in measured.peers.items():
        print(f"{head}  {peer:<21} {columns(found)}", flush=True)
        head = " " * len(head)
    for peer in (peer for peer in measured.peers if peer != LOOP):
        ratio = measured.peers[LOOP].mean_s / measured.peers[peer].mean_s
        has_target = peer == OURS and measured.counted_s >= COUNTED_MINUTES * 60
        target = f", target {TARGET:g}: {'met' if ratio >= TARGET else 'MISSED'}" if has_target else ""
        print(f"{head}  {LOOP} / {peer}: {ratio:.2f}{target}", flush=True)


def columns(peer: Peer) -> str:
    """What one of them found, and what it asked."""
    p95_s = statistics.quantiles(peer.delays_s, n=20)[-1]
    minutes = " ".join(f"{statistics.mean(of_minute or [math.nan]):5.1f}" for of_minute in peer.by_minute)
    found = f"{peer.mean_s:>7.1f} {p95_s:>7.1f} {peer.not_found:>10}"
    return f"{found} {peer.use.polls:>6} {peer.use.most:>13} {peer.use.refused:>8}   {minutes}"
