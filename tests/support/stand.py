"""A simulated gateway and a real Redis with proxies before them, and publishers as processes in between."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis as sync_redis

from brokertape.cli.redis_server import RedisServer
from brokertape.simulator.clock import begin_s
from brokertape.simulator.market_model import MarketModel
from brokertape.simulator.server import GatewayServer
from brokertape.simulator.settings import SimulatorSettings
from brokertape.tape.keys import Keys
from support.cluster import three_nodes
from support.proxies import GatewayProxy, Trap, gateway_proxy, redis_proxy
from support.tape_checker import faults, final_faults, read_answers, read_tape
from support.waiting import until

REST_TIMEOUT_S = 180.0  # a code that failed under load is asked again after a minute at the latest
CODES = ["HK.00700", "HK.09988", "HK.01810", "HK.03690", "HK.00981", "HK.02800", "HK.01299", "HK.00388"]
LIMIT, QUICK_WINDOW_S = 30, 3.0  # ten times the real pace: as many polls in two minutes as else in twenty
JITTER_S = 0.1


class PausableMarket(MarketModel):
    """A market model that a test can bring to rest."""

    is_paused = False

    def advance(self, to_s: float) -> None:
        """Trade on, unless paused."""
        if not self.is_paused:
            super().advance(to_s)


@dataclass
class Stand:
    """A simulated gateway and a real Redis behind proxies, and the publishers that a test runs between them."""

    directory: Path
    client: Any
    redis_url: str
    settings: SimulatorSettings
    market: PausableMarket
    gateway: GatewayProxy
    trap: Trap
    codes: Sequence[str]
    publishers: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start_publisher(
        self, name: str, *arguments: str, account: str | None = "test"
    ) -> asyncio.subprocess.Process:
        """`brokertape publish` as an operating-system process; without market snapshots it always has work."""
        named = () if account is None else ("--account", account)
        with (self.directory / f"{name}.err").open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "brokertape.cli", "publish"),
                *("--gateway", f"127.0.0.1:{self.gateway.port}", "--redis", self.redis_url),
                *("--publisher", name, "--codes", ",".join(self.codes), *named),
                *("--limit", str(LIMIT), "--window", str(self.window_s), "--request-timeout", "1"),
                *("--no-snapshots", *arguments),
                env=os.environ | {"BROKERTAPE_BUDGET_PACE_WINDOW_S": str(self.window_s * 0.095)},
                stderr=stderr,
            )
        self.publishers.append(process)
        return process

    async def polls(self, count: int) -> None:
        """Until so many more requests have reached the gateway."""
        goal = len(self.gateway.received_s) + count
        await until(lambda: len(self.gateway.received_s) >= goal, timeout_s=60)

    async def come_to_rest(self) -> None:
        """Pause the market and wait until the tape shows its last lists.

        On a busy machine a reply may come after its time limit or the commit after the stop: the gateway has given
        an answer then that nobody took. At rest it gives the same again.
        """
        self.market.is_paused = True
        async with asyncio.timeout(REST_TIMEOUT_S):
            while await asyncio.to_thread(self._final_faults):  # long work: gateway and proxies share this loop
                await self.polls(len(self.codes))

    @property
    def log(self) -> Path:
        """Every answer of every gateway."""
        return self.directory / "answers.jsonl"

    @property
    def window_s(self) -> float:
        """The gateway's."""
        return self.settings.window_s

    @asynccontextmanager
    async def another_gateway(self) -> AsyncIterator[GatewayProxy]:
        """One more before the same market, with a limit of its own."""
        async with (
            GatewayServer(self.settings, self.market) as gateway,
            gateway_proxy(gateway.port, None, JITTER_S) as recording,
        ):
            yield recording

    def events(self) -> int:
        """How many events are on the tape."""
        return sum(self.client.xlen(tape) for tape in Keys().tapes())

    def _final_faults(self) -> list[str]:
        return final_faults(read_tape(self.client), read_answers(self.log))

    def check(self, *, least_events: int) -> None:
        """No duplicate, no gap, no altered row, the gateway's last state, and its limit kept."""
        tape, answers = read_tape(self.client), read_answers(self.log)
        assert faults(tape, answers) == []
        assert final_faults(tape, answers) == []
        assert sum(map(len, tape.values())) >= least_events
        assert self.gateway.violations(LIMIT, self.window_s) == 0


async def kill(process: asyncio.subprocess.Process) -> None:
    """kill -9, and wait until it is gone."""
    process.kill()
    await process.wait()


async def stop(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, and a clean exit."""
    process.terminate()
    async with asyncio.timeout(20):
        assert await process.wait() == 0


@asynccontextmanager
async def stand(
    directory: Path,
    server: RedisServer,
    window_s: float = QUICK_WINDOW_S,
    trades_per_s: float = 200,
    codes: Sequence[str] = CODES,
) -> AsyncIterator[Stand]:
    """Everything but the publishers, on one Redis."""
    trap = Trap()
    async with redis_proxy(server.socket, trap) as port:
        client = sync_redis.Redis(unix_socket_path=str(server.socket))
        url = f"redis://127.0.0.1:{port}"
        async with before_redis(directory, client, url, trap, window_s, trades_per_s, codes) as place:
            yield place


@asynccontextmanager
async def cluster_stand(directory: Path, program: Path) -> AsyncIterator[Stand]:
    """Everything but the publishers, on three masters that clients know by their proxies only."""
    trap = Trap()
    async with AsyncExitStack() as stack:
        sockets = [directory / f"n{number}" / "s" for number in range(3)]
        ports = [await stack.enter_async_context(redis_proxy(socket, trap)) for socket in sockets]
        nodes = stack.enter_context(three_nodes(directory, program, announced=ports))
        url = f"redis+cluster://127.0.0.1:{ports[0]}"
        client = ClusterReader([sync_redis.Redis(unix_socket_path=str(node.socket)) for node in nodes])
        yield await stack.enter_async_context(before_redis(directory, client, url, trap, QUICK_WINDOW_S))


class ClusterReader:
    """Asks each node past its proxy, with plain commands, until one owns the key."""

    def __init__(self, nodes: list[Any]) -> None:
        self._nodes = nodes

    def xrange(self, key: str) -> Any:
        """All entries of a stream."""
        return self._ask(key, lambda node: node.xrange(key))

    def xlen(self, key: str) -> Any:
        """How many entries a stream has."""
        return self._ask(key, lambda node: node.xlen(key))

    def _ask(self, key: str, command: Callable[[Any], Any]) -> Any:
        for node in self._nodes:
            with contextlib.suppress(sync_redis.exceptions.MovedError):
                return command(node)
        raise AssertionError(f"no node has {key}")


@asynccontextmanager
async def before_redis(
    directory: Path,
    client: Any,
    redis_url: str,
    trap: Trap,
    window_s: float,
    trades_per_s: float = 200,
    codes: Sequence[str] = CODES,
) -> AsyncIterator[Stand]:
    """The gateway's half of a stand."""
    settings = SimulatorSettings(
        port=0,
        codes=tuple(codes),
        limit=LIMIT,
        window_s=window_s,
        trades_per_s=trades_per_s,
        start="busy",
        log_file=directory / "answers.jsonl",
    )
    begins_s = begin_s(settings.start, settings.calendar, time.time())
    market = PausableMarket(settings.market(begins_s), begins_s)
    async with (
        GatewayServer(settings, market) as gateway,
        gateway_proxy(gateway.port, trap, JITTER_S) as recording,
    ):
        place = Stand(directory, client, redis_url, settings, market, recording, trap, codes)
        trap.kill = lambda: place.publishers[-1].kill()
        try:
            yield place
        finally:
            for process in place.publishers:
                if process.returncode is None:
                    await kill(process)
