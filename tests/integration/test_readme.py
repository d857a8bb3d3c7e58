"""The lines of the README and of the pages beside it, run as they stand there."""

import asyncio
import gzip
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from brokertape.cli.redis_server import RedisServer
from brokertape.tape.codec import dump, load
from brokertape.tape.events import ChangeEvent
from support import recorded_day
from support.commands import running
from support.source_tree import PROJECT
from support.tape_factory import create_tape, publish

MAX_LINES = 12

# The demo starts a server of its own choice; the pages are read, and their lines run once.
pytestmark = [pytest.mark.server, pytest.mark.one_server]


def blocks(page: str) -> list[str]:
    """The Python blocks of a page."""
    return re.findall(r"^```python\n(.*?)^```$", (PROJECT / page).read_text(), re.MULTILINE | re.DOTALL)


def test_the_readmes_lines_run_against_the_demo(tmp_path: Path) -> None:
    """A newcomer starts the demo, and sees what brokers do with lines copied from the README."""
    (lines,) = blocks("README.md")
    with running("demo", "demo", directory=tmp_path) as demo:
        demo.until(lambda it: "the tape is at" in it.out)
        url = re.search(r"redis://localhost:\d+", demo.out)
        assert url is not None
        (tmp_path / "reader.py").write_text(lines.replace("redis://localhost:6390", url.group()))
        with running("reader", "-u", "reader.py", directory=tmp_path, program=[sys.executable]) as reader:
            reader.until(lambda it: len(it.out.splitlines()) >= 3, timeout_s=60)
            ended = reader.interrupt()
        assert "net_vol=" in ended.out
        assert demo.interrupt().code == 0


def test_the_readmes_lines_stay_few() -> None:
    """Five lines and what Python needs around them."""
    (lines,) = blocks("README.md")
    assert len([line for line in lines.splitlines() if line.strip()]) <= MAX_LINES


async def test_the_ten_lines_on_the_workers_page_run(
    shared_redis_server: RedisServer, real_redis: redis.asyncio.Redis, tmp_path: Path
) -> None:
    """As somebody copies them: a broker that turns is printed."""
    lines = blocks("docs/workers.md")[0]
    day = [load(payload) for payload in gzip.decompress(recorded_day.PATH.read_bytes()).splitlines()]
    flips = [event for event in day if isinstance(event, ChangeEvent) and b"flipped" in dump(event)]
    await publish(real_redis, await create_tape(real_redis), flips)
    (tmp_path / "flips.py").write_text(lines.replace("redis://localhost:6390", shared_redis_server.url))
    with running("flips", "-u", "flips.py", directory=tmp_path, program=[sys.executable]) as worker:
        await asyncio.to_thread(worker.until, lambda it: it.out.count("\n") >= len(flips))
        ended = await asyncio.to_thread(worker.interrupt)
    assert (ended.code, ended.err) == (0, "")
    assert {line.split()[0] for line in ended.out.splitlines()} == {event.time for event in flips}


async def test_the_test_on_the_subscribers_page_passes() -> None:
    """As somebody copies it who builds on the library."""
    (test,) = (block for block in blocks("docs/subscriber.md") if "async def test_" in block)
    names: dict[str, Any] = {}
    exec(test, names)
    await names["test_my_strategy_sells_with_goldman"]()
