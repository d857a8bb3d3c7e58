"""The README's example, run as it stands there."""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import redis.asyncio

from brokertape.cli.redis_server import RedisServer
from brokertape.tape.events import ChangeEvent, TapeEvent
from support.source_tree import PROJECT
from support.tape_factory import TapeFactory, create_tape, publish

URL = "redis://127.0.0.1:6379"
MAX_LINES = 12


def example() -> str:
    """The first Python block of the README."""
    [block, *_] = re.findall(r"^```python\n(.*?)^```$", (PROJECT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return str(block)


@contextmanager
def running(program: str, directory: Path) -> Iterator[IO[str]]:
    """The output of `program`, which follows the tape for ever and is ended with the block."""
    file = directory / "example.py"
    file.write_text(program)
    process = subprocess.Popen([sys.executable, "-u", str(file)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        process.communicate()


async def test_the_example_prints_the_changes(redis_server: RedisServer, tmp_path: Path) -> None:
    """It shows every change on the tape, those there before it and those that come, in order."""
    factory = TapeFactory()
    before, after = factory.day(changes=3), [factory.change()]
    async with redis.asyncio.Redis.from_url(redis_server.url) as client:
        keys = await create_tape(client)
        await publish(client, keys, before)
        with running(example().replace(URL, redis_server.url), tmp_path) as output:
            assert read(output, before) == expected(before)
            await publish(client, keys, after)
            assert read(output, after) == expected(after)


def expected(events: Iterable[TapeEvent]) -> list[str]:
    """What the example prints of `events`, each line up to the numbers of the flow."""
    return [
        " ".join((event.time, event.subject, change.broker_name, *change.kinds, *([] if change.flow else ["None"])))
        for event in events
        if isinstance(event, ChangeEvent)
        for change in event.data.changes
    ]


def read(output: IO[str], events: Sequence[TapeEvent]) -> list[str]:
    """As many lines of the example's output as `events` make."""
    return [output.readline().partition(" {")[0].strip() for _ in expected(events)]


def test_the_example_stays_short() -> None:
    """Reading the tape takes no more than a dozen lines."""
    assert len([line for line in example().splitlines() if line.strip()]) <= MAX_LINES
