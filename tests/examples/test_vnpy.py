"""The vn.py bridge on a real tape: what brokers do arrives in vn.py's own event engine."""

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis.asyncio

from brokertape.cli.redis_server import RedisServer
from brokertape.tape.events import ChangeEvent
from support.examples import EXAMPLES, example, flips, pip
from support.tape_factory import TapeFactory, create_tape
from support.tape_writer import TapeWriter

SCRIPT = EXAMPLES / "vnpy" / "flips.py"

pytestmark = [
    pytest.mark.timeout(600),  # it waits for a download
    pytest.mark.one_server,  # the subscriber is ours, and tested on any
]


@pytest.fixture(scope="module")
def vnpy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A path with vn.py at the example's version, without the dependencies that its event engine does not need."""
    target = tmp_path_factory.mktemp("vnpy")
    pip(
        "install",
        "--no-deps",
        "--no-compile",
        "--target",
        target,
        "--requirement",
        SCRIPT.with_name("requirements.txt"),
    )
    yield str(target)
    shutil.rmtree(target)


async def test_flips_arrive_in_the_event_engine(
    vnpy: str, real_redis: redis.asyncio.Redis, shared_redis_server: RedisServer, tmp_path: Path
) -> None:
    """The list as it stands, then every broker that turned, in order; at the end nobody asks for the code."""
    keys = await create_tape(real_redis)
    factory = TapeFactory(seed=37)  # brokers turn ten times
    factory.now_ms = time.time_ns() // 1_000_000  # so that nothing comes late
    writer = TapeWriter(real_redis, keys, factory)
    await writer.baseline()
    with example(
        SCRIPT, shared_redis_server.url, "HK.00700", python=sys.executable, directory=tmp_path, path=vnpy
    ) as bridge:
        bridge.until(lambda it: it.out == "00700.SEHK state\n")
        assert await real_redis.zcard(keys.interest) == 1
        events = [await writer.change() for _ in range(100)]
        changes = [change for event in events if isinstance(event, ChangeEvent) for change in event.data.changes]
        expected = [f"00700.SEHK {flip}" for flip in flips(changes)]
        bridge.until(lambda it: it.out.count("→") >= len(expected))
        ended = bridge.interrupt()
    assert (ended.code, ended.err, ended.out.splitlines()[1:]) == (0, "", expected)
    assert len(expected) == 10
    assert await real_redis.zcard(keys.interest) == 0


async def test_an_error_of_the_subscription_reaches_the_engine(
    vnpy: str, real_redis: redis.asyncio.Redis, shared_redis_server: RedisServer, tmp_path: Path
) -> None:
    """A tape of another schema ends the subscription: the engine's handlers are told, and the log has the cause."""
    keys = await create_tape(real_redis)
    await real_redis.hset(keys.meta, "schema", "99")
    with example(
        SCRIPT, shared_redis_server.url, "HK.00700", python=sys.executable, directory=tmp_path, path=vnpy
    ) as bridge:
        assert bridge.process.wait(30) == 1
        assert "the subscription has ended" in bridge.err
        assert "\nflips: " in bridge.err


def test_a_url_that_cannot_be_used_is_one_line(vnpy: str, tmp_path: Path) -> None:
    """Bad input is refused before anything starts."""
    with example(SCRIPT, "ftp://x", "HK.00700", python=sys.executable, directory=tmp_path, path=vnpy) as bridge:
        assert bridge.process.wait(30) == 2
        assert "flips.py: error: Redis URL 'ftp://x'" in bridge.err
