"""Publishers that die at every moment of a poll: the tape tells the gateway's truth, once."""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from brokertape.cli.redis_server import RedisServer
from support.proxies import KillPoint
from support.stand import CODES, Stand, cluster_stand, stand, stop

pytestmark = [pytest.mark.server, pytest.mark.timeout(900)]


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
    async with asyncio.timeout(300):
        while place.events() < events:
            await place.polls(len(CODES))
    await place.come_to_rest()
    await stop(last)
    place.check(least_events=events)


@pytest.mark.one_server  # the next one kills on a cluster of any server
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
