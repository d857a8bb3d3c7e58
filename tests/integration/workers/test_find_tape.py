"""Finding the tape at start."""

import asyncio

import pytest
import redis.asyncio

from brokertape.tape.errors import TapeMismatch
from brokertape.tape.keys import Keys
from brokertape.workers import find_tape
from support.tape_factory import create_tape
from support.waiting import until


async def test_a_worker_may_start_before_its_publisher(
    any_redis: redis.asyncio.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """It says that it waits, and goes on when the tape is there, half written or not."""
    caplog.set_level("INFO")
    finding = asyncio.create_task(find_tape(any_redis, "t", asyncio.Event()))
    await until(lambda: "there is no tape 't' yet" in caplog.text)
    await any_redis.hset("t:meta", "schema", "1")
    caplog.clear()
    await until(lambda: caplog.text.count("there is no tape 't' yet") > 1)  # one may have been on its way
    await any_redis.hset("t:meta", "partitions", "4")
    assert await finding == Keys("t", 4)


async def test_waiting_for_a_tape_ends_at_stop(any_redis: redis.asyncio.Redis) -> None:
    """Without one there is nothing to finish."""
    stop = asyncio.Event()
    stop.set()
    assert await find_tape(any_redis, "t", stop) is None


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        ("schema", "2", "tape 't' has schema 2, this version reads 1"),
        ("partitions", "3", "tape 't' has partitions = 3"),
        ("partitions", "many", "tape 't' has partitions = many"),
    ],
)
async def test_a_tape_that_is_not_ours_to_read_is_one_clear_line(
    any_redis: redis.asyncio.Redis, field: str, value: str, line: str
) -> None:
    """What it has, and what we can read."""
    await create_tape(any_redis, "t")
    await any_redis.hset("t:meta", field, value)
    with pytest.raises(TapeMismatch, match=f"^{line}$"):
        await find_tape(any_redis, "t", asyncio.Event())
