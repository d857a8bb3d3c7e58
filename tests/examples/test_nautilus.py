"""The NautilusTrader example in an environment of its own: a node's actor is told what brokers do."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis.asyncio

from brokertape.cli.redis_server import RedisServer
from brokertape.tape.codec import encode_entry
from brokertape.tape.connection import RedisClient, connect
from brokertape.tape.events import ChangeEvent, TapeEvent
from support.examples import EXAMPLES, build_wheel, example, flips, locked_versions, pip, python_of
from support.tape_factory import TapeFactory, create_tape, publish
from support.tape_writer import TapeWriter
from support.tcp_server import TcpServer

SCRIPT = EXAMPLES / "nautilus" / "flips.py"
READER = SCRIPT.with_name("external_stream.py")
CODES = ("HK.00005", "HK.00700")
LIVELY = 37  # on the tapes of this seed brokers turn several times

pytestmark = [pytest.mark.wheel, pytest.mark.timeout(600)]  # it waits for a download of 70 MB


@pytest.fixture(scope="module")
def node_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The interpreter of an environment with NautilusTrader at the example's version and our wheel."""
    directory = tmp_path_factory.mktemp("nautilus")
    python = directory / "env" / "bin" / "python"
    subprocess.run([python_of("3.12", "3.13"), "-m", "venv", "--without-pip", directory / "env"], check=True)
    needed = ("--requirement", SCRIPT.with_name("requirements.txt"), build_wheel(directory))
    pip("--python", python, "install", "--no-compile", *needed, "--constraint", locked_versions(directory))
    yield python
    shutil.rmtree(directory)


def line_of(event: TapeEvent) -> str:
    """What the example prints of an event."""
    changes = event.data.changes if isinstance(event, ChangeEvent) else ()
    return " | ".join((event.kind, event.id, *flips(changes)))


async def test_the_actor_is_told_every_event_in_order(
    node_python: Path, real_redis: redis.asyncio.Redis, shared_redis_server: RedisServer, tmp_path: Path
) -> None:
    """Each list as it stands, then every change of each code; at the end nobody asks for the codes."""
    keys = await create_tape(real_redis)
    writers = [TapeWriter(real_redis, keys, TapeFactory(code, seed=LIVELY)) for code in CODES]
    for writer in writers:
        await writer.baseline()
    with example(SCRIPT, shared_redis_server.url, *CODES, python=node_python, directory=tmp_path) as node:
        node.until(lambda it: it.out.count("state\n") == len(CODES))
        events = [await writer.change() for _ in range(100) for writer in writers]
        node.until(lambda it: it.out.count("change |") == len(events))
        ended = node.interrupt()
    for code in CODES:
        expected = [line_of(event) for event in events if event.subject == code]
        assert [line for line in ended.out.splitlines() if f" {code}/" in line] == expected
    assert (ended.code, ended.err, "→" in ended.out) == (0, "", True)
    assert await real_redis.zcard(keys.interest) == 0


async def blocked(client: RedisClient) -> None:
    """Return once somebody waits for the next entry: what comes from now on is read."""
    async with asyncio.timeout(30):
        while not (await client.info("clients"))["blocked_clients"]:
            await asyncio.sleep(0.005)


async def test_its_own_reader_takes_our_entries_as_they_are(
    node_python: Path, redis_program: Path, short_dir: Path, tmp_path: Path
) -> None:
    """The four fields of an entry are those of its message bus; so is each payload, byte for byte."""
    events = TapeFactory().day(20)
    with TcpServer(short_dir / "r", redis_program) as server:
        client = connect(server.url, command_timeout_s=10)
        keys = await create_tape(client)
        stream = keys.tape_of(events[0].subject)
        with example(READER, server.tcp_url, stream, python=node_python, directory=tmp_path) as reader:
            await blocked(client)
            await publish(client, keys, events)
            reader.until(lambda it: it.out.count("\n") == len(events))
            ended = reader.interrupt()
        await client.aclose()
    entries = [encode_entry(event) for event in events]
    expected = [b" ".join((entry["topic"], entry["type"], entry["payload"])) for entry in entries]
    assert ended.out.encode().splitlines() == expected
