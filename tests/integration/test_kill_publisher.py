"""Publishers that die, race, freeze and outlive their Redis: the tape tells the gateway's truth, once."""

import asyncio
import contextlib
import copy
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis as sync_redis

from brokertape.cli.redis_server import RedisServer
from brokertape.simulator.server import GatewayServer
from brokertape.simulator.settings import SimulatorSettings
from support.cluster import three_nodes
from support.proxies import GatewayProxy, KillPoint, Trap, gateway_proxy, redis_proxy
from support.tape_checker import faults, final_faults, read_answers, read_tape
from support.waiting import until

pytestmark = [pytest.mark.server, pytest.mark.timeout(400)]

CODES = ["HK.00700", "HK.09988", "HK.01810", "HK.03690", "HK.00981", "HK.02800", "HK.01299", "HK.00388"]
LIMIT, WINDOW_S = 30, 3.0  # ten times the real pace: as many polls in two minutes as else in twenty
JITTER_S = 0.1


@dataclass
class Stand:
    """A simulated gateway and a real Redis behind proxies, and the publishers that a test runs between them."""

    directory: Path
    client: Any
    redis_url: str
    log: Path
    gateway: GatewayProxy
    trap: Trap
    publishers: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start_publisher(self, name: str, *arguments: str) -> asyncio.subprocess.Process:
        """`brokertape publish` as an operating-system process."""
        with (self.directory / f"{name}.err").open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "brokertape.cli", "publish"),
                *("--gateway", f"127.0.0.1:{self.gateway.port}", "--redis", self.redis_url),
                *("--account", "test", "--publisher", name, "--codes", ",".join(CODES)),
                *("--limit", str(LIMIT), "--window", str(WINDOW_S), "--request-timeout", "1", *arguments),
                env=os.environ | {"BROKERTAPE_BUDGET_PACE_WINDOW_S": str(WINDOW_S * 0.095)},
                stderr=stderr,
            )
        self.publishers.append(process)
        return process

    async def polls(self, count: int) -> None:
        """Until so many more requests have reached the gateway."""
        goal = len(self.gateway.received_s) + count
        await until(lambda: len(self.gateway.received_s) >= goal, timeout_s=60)

    def events(self) -> int:
        """How many events are on the tape."""
        return sum(map(len, read_tape(self.client).values()))

    def check(self, *, least_events: int) -> None:
        """No duplicate, no gap, no altered row, the gateway's last state, and its limit kept."""
        tape, answers = read_tape(self.client), read_answers(self.log)
        assert faults(tape, answers) == []
        assert final_faults(tape, answers) == []
        assert sum(map(len, tape.values())) >= least_events
        assert self.gateway.violations(LIMIT, WINDOW_S) == 0


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
async def stand(directory: Path, server: RedisServer) -> AsyncIterator[Stand]:
    """Everything but the publishers, on one Redis."""
    trap = Trap()
    async with redis_proxy(server.socket, trap) as port:
        client = sync_redis.Redis(unix_socket_path=str(server.socket))
        async with before_redis(directory, client, f"redis://127.0.0.1:{port}", trap) as place:
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
        yield await stack.enter_async_context(before_redis(directory, client, url, trap))


class ClusterReader:
    """Asks each node past its proxy, with plain commands, until one owns the key."""

    def __init__(self, nodes: list[Any]) -> None:
        self._nodes = nodes

    def xrange(self, key: str) -> Any:
        """XRANGE from the node that has the key's slot."""
        for node in self._nodes:
            with contextlib.suppress(sync_redis.exceptions.MovedError):
                return node.xrange(key)
        raise AssertionError(f"no node has {key}")


@asynccontextmanager
async def before_redis(directory: Path, client: Any, redis_url: str, trap: Trap) -> AsyncIterator[Stand]:
    """The gateway's half of a stand."""
    log = directory / "answers.jsonl"
    settings = SimulatorSettings(
        port=0, codes=tuple(CODES), limit=LIMIT, window_s=WINDOW_S, trades_per_s=200, start="busy", log_file=log
    )
    async with GatewayServer(settings) as gateway, gateway_proxy(gateway.port, trap, JITTER_S) as recording:
        place = Stand(directory, client, redis_url, log, recording, trap)
        trap.kill = lambda: place.publishers[-1].kill()
        try:
            yield place
        finally:
            for process in place.publishers:
                if process.returncode is None:
                    await kill(process)


async def kill_again_and_again(place: Stand, *, kills: int, seconds: float) -> Counter[KillPoint]:
    """Kill a publisher at each point in turn, started again each time, until both numbers are reached."""
    deaths: Counter[KillPoint] = Counter()
    began_s = time.monotonic()
    while deaths.total() < kills or time.monotonic() - began_s < seconds:
        point = list(KillPoint)[deaths.total() % len(KillPoint)]
        await place.start_publisher("killed")
        await place.polls(random.randrange(1, 25))
        place.trap.arm(point)
        async with asyncio.timeout(60):
            await place.trap.sprung.wait()
            await place.publishers[-1].wait()
        deaths[point] += 1
    return deaths


async def survive_kills(place: Stand, *, kills: int, seconds: float, events: int) -> None:
    """Die often, then live until there are `events`: the tape has every one of them once."""
    deaths = await kill_again_and_again(place, kills=kills, seconds=seconds)
    assert min(deaths[point] for point in KillPoint) >= kills // 8
    last = await place.start_publisher("last")
    await place.polls(2 * len(CODES))
    await until(lambda: place.events() >= events, timeout_s=120)
    await stop(last)
    place.check(least_events=events)


async def test_a_publisher_killed_at_any_moment_loses_and_repeats_nothing(
    redis_server: RedisServer, short_dir: Path
) -> None:
    """Forty kills in two minutes, ten at each point: nothing doubled, missing or altered, and the limit kept."""
    async with stand(short_dir, redis_server) as place:
        await survive_kills(place, kills=40, seconds=120, events=500)


@pytest.mark.parametrize(
    ("kills", "seconds", "events"), [(8, 20, 100), pytest.param(40, 120, 500, marks=pytest.mark.soak)]
)
async def test_a_cluster_keeps_the_tape_as_well(
    redis_program: Path, short_dir: Path, kills: int, seconds: float, events: int
) -> None:
    """The same on three masters, each with its share of the partitions."""
    async with cluster_stand(short_dir, redis_program) as place:
        await survive_kills(place, kills=kills, seconds=seconds, events=events)


async def test_two_publishers_on_the_same_codes_are_one_tape(redis_server: RedisServer, short_dir: Path) -> None:
    """Both poll the same codes on one budget; whoever loses a race drops its reply."""
    async with stand(short_dir, redis_server) as place:
        both = [await place.start_publisher(name) for name in ("one", "two")]
        await place.polls(200)
        await stop(both[0])
        await place.polls(3 * len(CODES))
        await stop(both[1])
        place.check(least_events=100)


@pytest.mark.parametrize("frozen_s", [10, pytest.param(60, marks=pytest.mark.soak)])
async def test_a_frozen_publisher_overwrites_nothing_newer(
    redis_server: RedisServer, short_dir: Path, frozen_s: int
) -> None:
    """SIGSTOP in mid-poll, another works on, SIGCONT: the old answer loses."""
    async with stand(short_dir, redis_server) as place:
        frozen = await place.start_publisher("frozen")
        await place.polls(40)
        frozen.send_signal(signal.SIGSTOP)
        other = await place.start_publisher("other")
        await asyncio.sleep(frozen_s)
        frozen.send_signal(signal.SIGCONT)
        await place.polls(3 * len(CODES))
        await stop(frozen)
        await place.polls(2 * len(CODES))
        await stop(other)
        place.check(least_events=60)


async def test_no_id_carries_two_payloads_over_a_rollback(redis_server: RedisServer, short_dir: Path) -> None:
    """Redis goes back to an older file while no publisher lives; a new one starts a new epoch for every code."""
    async with stand(short_dir, redis_server) as place:
        first = await place.start_publisher("first")
        await place.polls(60)
        await asyncio.sleep(1.5)  # everysec: the copy has to hold something
        saved = copy_of_aof(redis_server.directory)
        await place.polls(60)
        await kill(first)
        seen = {event["id"]: event for events in read_tape(place.client).values() for event in events}
        redis_server.kill()
        restore_aof(redis_server.directory, saved)
        redis_server.start()
        rolled_back = {event["id"] for events in read_tape(place.client).values() for event in events}
        assert rolled_back < seen.keys()
        second = await place.start_publisher("second")
        await place.polls(40)
        await stop(second)
        tape = read_tape(place.client)
        for event in (event for events in tape.values() for event in events):
            assert seen.get(event["id"], event) == event
        assert {events[-1]["data"]["epoch"] > seen_epoch(seen, code) for code, events in tape.items()} == {True}
        place.check(least_events=60)


def seen_epoch(seen: dict[str, Any], code: str) -> int:
    """The highest epoch of a code before the rollback."""
    return max(int(event["data"]["epoch"]) for event in seen.values() if event["subject"] == code)


def copy_of_aof(directory: Path) -> dict[Path, bytes]:
    """The append-only file, whatever its parts are called."""
    return {path: path.read_bytes() for path in directory.rglob("*") if "aof" in path.name and path.is_file()}


def restore_aof(directory: Path, saved: dict[Path, bytes]) -> None:
    """Put the older file back."""
    for path in copy_of_aof(directory):
        path.unlink()
    for path, content in saved.items():
        path.write_bytes(content)


async def test_a_limiter_set_to_31_is_caught(redis_server: RedisServer, short_dir: Path) -> None:
    """The check that finds no violation elsewhere finds them here."""
    async with stand(short_dir, redis_server) as place:
        greedy = await place.start_publisher("greedy", "--limit", "31")
        await place.polls(100)
        await kill(greedy)
        assert place.gateway.violations(LIMIT, WINDOW_S) > 0


async def test_the_checker_sees_what_is_planted(redis_server: RedisServer, short_dir: Path) -> None:
    """A doubled event, a missing one, an altered row and a stale end are each found."""
    async with stand(short_dir, redis_server) as place:
        publisher = await place.start_publisher("p")
        await place.polls(5 * len(CODES))
        await stop(publisher)
        tape, answers = read_tape(place.client), read_answers(place.log)
    assert faults(tape, answers) == final_faults(tape, answers) == []
    code = max(tape, key=lambda code: len(tape[code]))
    middle = len(tape[code]) // 2
    plants: list[Callable[[Any], Any]] = [
        lambda events: events.insert(middle, events[middle]),
        lambda events: events.pop(middle),
        lambda events: events[0]["data"]["rows"][0].__setitem__("total_vol", 1.0),
    ]
    for plant in plants:
        planted = copy.deepcopy(tape)
        plant(planted[code])
        assert faults(planted, answers) != []
    planted = copy.deepcopy(tape)
    planted[code].pop()
    assert final_faults(planted, answers) != []


async def test_a_redis_that_dies_and_returns_costs_nothing(redis_server: RedisServer, short_dir: Path) -> None:
    """What was acknowledged is still there, every code goes on in a new epoch, and the limit holds all the while."""
    async with stand(short_dir, redis_server) as place:
        publisher = await place.start_publisher("p")
        await place.polls(4 * len(CODES))
        redis_server.kill()
        before = len(place.gateway.received_s)
        await asyncio.sleep(1)
        redis_server.start()
        acknowledged = {event["id"] for events in read_tape(place.client).values() for event in events}
        assert len(acknowledged) >= before - 30  # all but what was in flight or unchanged
        await place.polls(4 * len(CODES))
        await stop(publisher)
        place.check(least_events=4 * len(CODES))
        for events in read_tape(place.client).values():
            reasons = [event["data"].get("reason") for event in events if event["data"].get("reason")]
            assert reasons == ["first_seen", "server_changed"]
