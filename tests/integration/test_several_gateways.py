"""Two publishers with a gateway each share 200 codes: one is killed and started again, and the tape does not notice."""

import asyncio
import json
import time
from itertools import pairwise
from pathlib import Path

import pytest

from brokertape.cli.redis_server import RedisServer
from brokertape.publisher.leases import LEASE_S
from support.commands import run_command
from support.proxies import GatewayProxy
from support.stand import LIMIT, Stand, kill, stand, stop
from support.waiting import until

pytestmark = [pytest.mark.server, pytest.mark.timeout(400)]

CODES = [f"HK.{number:05d}" for number in range(1, 201)]
PINNED = CODES[:20]
PROMISE_S = 5.0
# Ten polls a second of each gateway: two rounds of all codes, when one gateway has to poll them.
CAP_S = 2 * len(CODES) / 10
SLACK_S = 3.0  # the look at who is alive, the polls that were on their way, a busy machine


async def start(place: Stand, name: str, gateway: GatewayProxy) -> asyncio.subprocess.Process:
    """A publisher on a gateway and an account of its own."""
    return await place.start_publisher(name, "--gateway", f"127.0.0.1:{gateway.port}", account=None)


def polled_by(place: Stand) -> dict[str, list[str]]:
    """Code → who polls it, as `brokertape status` tells."""
    told = json.loads(run_command("status", "--json", "--redis", place.redis_url).out)
    return {code["code"]: code["polled_by"] for code in told["codes"]}


async def settle(place: Stand, *names: str) -> None:
    """Until each code is polled by one of those named, and each of them has its part."""

    async def is_settled() -> bool:
        polled = await asyncio.to_thread(polled_by, place)
        owners = [tuple(owner) for owner in polled.values()]
        return len(owners) == len(CODES) and set(owners) == {(name,) for name in names}

    async with asyncio.timeout(60):
        while not await is_settled():
            await asyncio.sleep(0.5)


def longest_gaps_s(place: Stand, since_s: float, until_s: float) -> dict[str, float]:
    """Code → the longest time without an answer of any gateway within a stretch of time."""
    answered: dict[str, list[float]] = {code: [since_s] for code in CODES}
    for line in place.log.read_text().splitlines():
        answer = json.loads(line)
        if since_s < answer["sent_ms"] / 1000 < until_s:
            answered[answer["code"]].append(answer["sent_ms"] / 1000)
    return {
        code: max(later - earlier for earlier, later in pairwise([*sorted(moments), until_s]))
        for code, moments in answered.items()
    }


async def test_one_of_two_is_killed_and_comes_back(redis_server: RedisServer, short_dir: Path) -> None:
    """Every code stays within its cap, pinned ones within their promise, plus the lease; each event is there once."""
    async with (
        stand(short_dir, redis_server, trades_per_s=60, codes=CODES) as place,
        place.another_gateway() as second_gateway,
    ):
        first = await start(place, "first", place.gateway)
        await place.polls(1)
        promise = ("watch", "add", *PINNED, "--max-staleness", str(PROMISE_S), "--redis", place.redis_url)
        await asyncio.to_thread(run_command, *promise)
        second = await start(place, "second", second_gateway)
        await settle(place, "first", "second")
        await until(lambda: place.events() >= len(CODES))
        since_s = time.time()
        await kill(second)
        await settle(place, "first")
        second = await start(place, "second", second_gateway)
        await settle(place, "first", "second")
        await until(lambda: time.time() > since_s + CAP_S + LEASE_S + SLACK_S, timeout_s=60)  # so long may a gap be
        gaps_s = longest_gaps_s(place, since_s, time.time())
        assert max(gaps_s[code] for code in PINNED) <= PROMISE_S + LEASE_S + SLACK_S
        assert max(gaps_s.values()) <= CAP_S + LEASE_S + SLACK_S
        await place.come_to_rest()
        await stop(first)
        await stop(second)
        place.check(least_events=2 * len(CODES))
        assert second_gateway.violations(LIMIT, place.window_s) == 0


async def test_two_addresses_of_one_gateway_are_one_budget(redis_server: RedisServer, short_dir: Path) -> None:
    """Whoever is logged in there is one user, so two publishers send no more than one: not a request is refused."""
    async with stand(short_dir, redis_server) as place:
        for name, host in (("first", "127.0.0.1"), ("second", "localhost")):
            await place.start_publisher(name, "--gateway", f"{host}:{place.gateway.port}", account=None)
        await until(lambda: len(accounts(place)) == 2 and len(set(accounts(place).values())) == 1)
        await place.polls(6 * LIMIT)
        [window] = place.client.scan_iter("brokertape:budget:*")
        assert window.decode() == f"brokertape:budget:{accounts(place)['first']}"
        for process in place.publishers:
            await stop(process)
        assert place.gateway.violations(LIMIT, place.window_s) == 0


def accounts(place: Stand) -> dict[str, str]:
    """Publisher → its account, of those alive."""
    members = [member.decode() for member in place.client.zrange("brokertape:publishers", 0, -1)]
    return {publisher: account for account, _, publisher in (member.partition("|") for member in members)}
