"""The seam to Redis: what one call does, and how its failures are called."""

import pytest
import redis.asyncio

from brokertape.cli.redis_server import RedisServer
from brokertape.tape.connection import connect
from brokertape.tape.errors import StoreRefused, StoreUnavailable
from brokertape.tape.keys import Keys
from brokertape.workers.channel import TAPE
from brokertape.workers.errors import GroupLost
from brokertape.workers.group import Group, Standing
from support.tape_factory import dead_letters
from support.workers import GROUP

KEYS = Keys()
STREAMS = TAPE.streams(KEYS, GROUP)


@pytest.fixture
async def group(any_redis: redis.asyncio.Redis) -> Group:
    """A member of a group on partition 0."""
    group = Group(any_redis, KEYS, STREAMS, GROUP, "w1")
    await group.create(0, "0-0")
    return group


async def fill(client: redis.asyncio.Redis, count: int) -> None:
    """Put entries `1-0`, `2-0`, … on partition 0."""
    pipeline = client.pipeline(transaction=False)
    for number in range(1, count + 1):
        pipeline.xadd(KEYS.tape(0), {"n": number}, id=f"{number}-0")
    await pipeline.execute()


async def test_the_standing_is_that_of_tape_and_group(any_redis: redis.asyncio.Redis, group: Group) -> None:
    """As reading and acknowledging move it."""
    await fill(any_redis, 3)
    assert await group.standing(0) == Standing("3-0", "0-0", 0, 3)
    entries = await group.read_new([0], 2, 10)
    assert await group.standing(0) == Standing("3-0", "2-0", 2, 1)
    await group.acknowledge(entries)
    assert await group.standing(0) == Standing("3-0", "2-0", 0, 1)


async def test_no_group_and_no_tape_stand_nowhere(any_redis: redis.asyncio.Redis, group: Group) -> None:
    """Neither is an error: a worker creates what is missing."""
    assert await group.standing(1) is None
    await any_redis.xadd(KEYS.tape(1), {"n": 1})
    assert await group.standing(1) is None


async def test_creating_a_group_that_is_there_leaves_it(any_redis: redis.asyncio.Redis, group: Group) -> None:
    """Two workers that start at once do not set each other back."""
    await fill(any_redis, 3)
    await group.read_new([0], 3, 10)
    await group.create(0, "0-0")
    assert await group.standing(0) == Standing("3-0", "3-0", 3, 0)


async def test_a_claim_takes_all_idle_entries_without_delivering_them(
    any_redis: redis.asyncio.Redis, group: Group
) -> None:
    """Over several pages of the pending list, with the trimmed ones named; no delivery is counted."""
    await fill(any_redis, 250)
    await any_redis.xreadgroup(GROUP, "dead", {KEYS.tape(0): ">"})
    await any_redis.xtrim(KEYS.tape(0), minid="4-0", approximate=False)
    claimed = await group.claim(0, 0)
    assert (claimed.count, claimed.trimmed) == (247, ["1-0", "2-0", "3-0"])
    pending = await group.pending(0)
    assert [one.entry_id for one in pending] == [f"{number}-0" for number in range(4, 251)]
    assert {one.deliveries for one in pending} == {1}


async def test_a_claim_leaves_what_is_not_idle(any_redis: redis.asyncio.Redis, group: Group) -> None:
    """Somebody is at work on it."""
    await fill(any_redis, 3)
    await any_redis.xreadgroup(GROUP, "busy", {KEYS.tape(0): ">"})
    assert (await group.claim(0, 60_000)).count == 0


async def test_only_what_is_read_again_is_counted_up(any_redis: redis.asyncio.Redis, group: Group) -> None:
    """The entries that lie behind it keep their count."""
    await fill(any_redis, 3)
    await group.read_new([0], 3, 10)
    [entry] = (await group.redeliver(0, (await group.pending(0))[:1])).entries
    assert (entry.entry_id, entry.attempts) == ("1-0", 2)
    assert [one.deliveries for one in await group.pending(0)] == [2, 1, 1]


async def test_an_entry_is_buried_once(any_redis: redis.asyncio.Redis, group: Group) -> None:
    """Whoever comes second finds it done; a long error and countless fields do no harm."""
    await any_redis.xadd(KEYS.tape(0), {f"f{number}": "x" for number in range(9000)})
    [entry] = await group.read_new([0], 1, 10)
    assert await group.bury(entry, "e" * 9000, 10)
    assert not await group.bury(entry, "again", 10)
    [dead] = await dead_letters(any_redis, KEYS, GROUP)
    assert dead[b"error"] == b"e" * 500
    assert await group.pending(0) == []


async def test_the_dead_letters_are_bounded(any_redis: redis.asyncio.Redis, group: Group) -> None:
    """The oldest go when there are too many (in whole nodes of the stream, a hundred entries)."""
    await fill(any_redis, 400)
    for entry in await group.read_new([0], 400, 10):
        await group.bury(entry, "e", 50)
    assert await any_redis.xlen(KEYS.dead(0, GROUP)) <= 150


@pytest.mark.parametrize("call", ["read", "read in order", "pending", "claim", "move"])
async def test_a_lost_group_has_one_name(any_redis: redis.asyncio.Redis, group: Group, call: str) -> None:
    """Whichever call finds it gone."""
    await any_redis.flushall()
    calls = {
        "read": group.read_new([0], 1, 10),
        "read in order": group.read_next(0, 1, 10),
        "pending": group.pending(0),
        "claim": group.claim(0, 0),
        "move": group.move(0, "0-0"),
    }
    with pytest.raises(GroupLost):
        await calls.pop(call)
    for coroutine in calls.values():
        coroutine.close()


@pytest.mark.server
async def test_a_key_of_another_type_is_refused(real_redis: redis.asyncio.Redis) -> None:
    """No waiting mends it; the cause is kept."""
    await real_redis.set(KEYS.tape(0), "x")
    with pytest.raises(StoreRefused, match="WRONGTYPE") as raised:
        await Group(real_redis, KEYS, STREAMS, GROUP, "w1").read_new([0], 1, 10)
    assert isinstance(raised.value.__cause__, redis.ResponseError)


@pytest.mark.server
async def test_a_server_that_is_down_is_unavailable(redis_server: RedisServer) -> None:
    """At once, without redis-py's own retries."""
    client = connect(redis_server.url)
    redis_server.kill()
    with pytest.raises(StoreUnavailable):
        await Group(client, KEYS, STREAMS, GROUP, "w1").read_new([0], 1, 10)
    await client.aclose()
