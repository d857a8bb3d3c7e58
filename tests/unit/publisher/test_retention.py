"""Retention: old entries go, but not those a group still needs, unless the cap is hit."""

from typing import Any

import pytest
import redis.asyncio

from brokertape.publisher.retention import Retention, Trimmer
from brokertape.tape import Keys
from brokertape.tape.errors import StoreRefused

KEYS = Keys(partitions=1)
TAPE = KEYS.tape(0)
DAY_MS = 86_400_000
NOW_MS = 30 * DAY_MS


async def fill(client: redis.asyncio.Redis, *, days: int = 20, a_day: int = 200) -> None:
    """Entries of the last `days` days, spread evenly."""
    for number in range(days * a_day):
        at_ms = NOW_MS - days * DAY_MS + number * DAY_MS // a_day
        await client.xadd(TAPE, {"payload": "x" * 40}, id=f"{at_ms}-0")


async def first_day(client: Any) -> float:
    """How many days old the oldest entry is."""
    ((entry_id, _),) = await client.xrange(TAPE, count=1)
    return (NOW_MS - int(entry_id.split(b"-")[0])) / DAY_MS


async def test_entries_go_by_age(any_redis: redis.asyncio.Redis) -> None:
    """Without groups a week is kept, give or take a node of the stream."""
    await fill(any_redis)
    assert await Trimmer(any_redis, KEYS, Retention()).trim(NOW_MS) > 2000
    assert 7 <= await first_day(any_redis) < 8


async def test_what_a_group_has_not_had_stays(any_redis: redis.asyncio.Redis) -> None:
    """Unread or unacknowledged, until the cap."""
    await fill(any_redis, days=12)
    await any_redis.xgroup_create(TAPE, "slow", id="0")
    trimmer = Trimmer(any_redis, KEYS, Retention())
    assert await trimmer.trim(NOW_MS) == 0
    await any_redis.xreadgroup("slow", "c", {TAPE: ">"}, count=2400)
    assert await trimmer.trim(NOW_MS) == 0


async def test_the_cap_wins_and_names_who_lost(
    any_redis: redis.asyncio.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """After two weeks, or a million entries, a group that sleeps loses, and the log says which."""
    await fill(any_redis)
    await any_redis.xgroup_create(TAPE, "asleep", id="0")
    trimmer = Trimmer(any_redis, KEYS, Retention())
    assert await trimmer.trim(NOW_MS) > 0
    assert 14 <= await first_day(any_redis) < 15
    assert "asleep" in caplog.text
    caplog.clear()
    assert await Trimmer(any_redis, KEYS, Retention(most_entries=500)).trim(NOW_MS) > 0
    assert 500 <= await any_redis.xlen(TAPE) < 700
    assert "asleep" in caplog.text


async def test_a_tape_without_entries_is_nothing_to_trim(any_redis: redis.asyncio.Redis) -> None:
    """A partition nobody wrote to yet."""
    assert await Trimmer(any_redis, KEYS, Retention()).trim(NOW_MS) == 0


@pytest.mark.parametrize(("days", "most_days", "most_entries"), [(0, 14, 1), (8, 7, 1), (7, 14, 0)])
def test_nonsense_is_refused(days: float, most_days: float, most_entries: int) -> None:
    """When it is made, not when it trims."""
    with pytest.raises(ValueError, match="retention"):
        Retention(days, most_days, most_entries)


async def test_a_stream_that_cannot_be_trimmed_leaves_the_others_trimmed(any_redis: redis.asyncio.Redis) -> None:
    """Else they would grow until the memory is full."""
    keys = Keys(partitions=2)
    await any_redis.set(keys.tape(0), "not a stream")
    for number in range(400):
        await any_redis.xadd(keys.tape(1), {"n": "1"}, id=f"{number + 1}-0")
    with pytest.raises(StoreRefused):
        await Trimmer(any_redis, keys, Retention(most_entries=1)).trim(NOW_MS)
    assert await any_redis.xlen(keys.tape(1)) < 400
