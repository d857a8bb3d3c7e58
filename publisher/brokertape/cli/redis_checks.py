"""What `doctor` looks at in Redis."""

import re
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from redis.asyncio import RedisCluster

from brokertape.cli.check import Check, Verdict
from brokertape.cli.faults import NoTape
from brokertape.cli.redis_link import find_keys
from brokertape.cli.settings import RedisGroup
from brokertape.tape.connection import RedisClient, Script, find_nodes, store_errors
from brokertape.tape.errors import StoreError, StoreRefused

LEAST_VERSION = (7, 0)
MOST_CLOCK_DIFFERENCE_MS = 1000

# A script, because on a Cluster it goes to the very node that keeps the key.
_TIME = Script("local time = redis.call('TIME') return time[1] * 1000 + math.floor(time[2] / 1000) + 0 * #KEYS")


async def redis_checks(client: RedisClient, settings: RedisGroup) -> AsyncIterator[Check]:
    """Version, settings and clock of every master, and what the tape says of itself."""
    try:
        for node, info in (await _infos(client)).items():
            yield version_check(node, info)
            yield eviction_check(node, info)
            yield durability_check(node, info)
    except StoreRefused as error:
        yield Check("Redis settings", Verdict.NOTE, str(error), "let this user run INFO to have them checked")
    try:
        yield await _clock_check(client, settings)
        yield await _tape_check(client, settings)
    except StoreError as error:
        yield Check("tape", Verdict.FAILED, str(error))


async def _infos(client: RedisClient) -> dict[str, Mapping[str, Any]]:
    """Node → INFO."""
    with store_errors():
        if not isinstance(client, RedisCluster):
            return {"Redis": await client.info()}
        await find_nodes(client)
        return {f"Redis {node.name}": await client.info(target_nodes=node) for node in client.get_primaries()}


def version_check(node: str, info: Mapping[str, Any]) -> Check:
    """Whether the server knows the commands that are used."""
    text = str(info.get("redis_version", ""))
    version = tuple(int(part) for part in re.findall(r"\d+", text)[:2])
    valkey = f", Valkey {info['valkey_version']}" if "valkey_version" in info else ""
    if version >= LEAST_VERSION:
        return Check(f"{node} version", Verdict.OK, f"{text}{valkey}")
    return Check(f"{node} version", Verdict.FAILED, text or "unknown", "use Redis 7.0 or newer, or Valkey")


def eviction_check(node: str, info: Mapping[str, Any]) -> Check:
    """Whether a full memory makes writes fail, which is seen, or entries vanish, which is not."""
    policy = str(info.get("maxmemory_policy", "unknown"))
    if policy == "noeviction":
        return Check(f"{node} eviction", Verdict.OK, policy)
    return Check(f"{node} eviction", Verdict.FAILED, policy, "set maxmemory-policy noeviction: an evicted tape is lost")


def durability_check(node: str, info: Mapping[str, Any]) -> Check:
    """Whether what is acknowledged survives a crash of the server."""
    if info.get("aof_enabled"):
        return Check(f"{node} durability", Verdict.OK, "append-only file")
    return Check(
        f"{node} durability", Verdict.FAILED, "no append-only file", "set appendonly yes: a crash loses events"
    )


def clock_check(name: str, difference_ms: float, if_wrong: Verdict = Verdict.FAILED) -> Check:
    """Whether a clock agrees with this host's. A difference harms no event; it makes stamps and ages wrong."""
    found = f"{difference_ms:+,.0f} ms from this host's"
    if abs(difference_ms) <= MOST_CLOCK_DIFFERENCE_MS:
        return Check(name, Verdict.OK, found)
    return Check(name, if_wrong, found, "let NTP set the clocks of both hosts")


async def _clock_check(client: RedisClient, settings: RedisGroup) -> Check:
    before = time.time()
    with store_errors():
        redis_ms = int(await _TIME.run(client, [settings.keys.feed], []))
    return clock_check("Redis clock", redis_ms - 500 * (before + time.time()))


async def _tape_check(client: RedisClient, settings: RedisGroup) -> Check:
    try:
        keys = await find_keys(client, settings)
    except NoTape:
        return Check("tape", Verdict.NOTE, f"there is no tape {settings.prefix!r} yet", "`brokertape publish` makes it")
    if keys.partitions != settings.partitions:
        return Check(
            "tape",
            Verdict.FAILED,
            f"{keys.partitions} partitions, {settings.partitions} are set",
            f"set redis.partitions = {keys.partitions}, or another prefix",
        )
    return Check("tape", Verdict.OK, f"{keys.prefix!r}, {keys.partitions} partitions")
