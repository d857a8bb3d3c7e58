"""examples/redis-cli.md, run block by block as it stands there."""

import asyncio
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from brokertape.tape.connection import connect
from brokertape.tape.events import TapeEvent
from brokertape.tape.keys import Keys, partition_of
from support.servers import IS_CI
from support.source_tree import PROJECT
from support.tape_factory import TapeFactory, create_tape
from support.tape_writer import TapeWriter
from support.tcp_server import TcpServer

pytestmark = pytest.mark.server

MARK = "=== block"
KEYS = Keys()
CODE = "HK.00700"


@pytest.fixture
def tcp_server(redis_program: Path, short_dir: Path) -> Iterator[TcpServer]:
    """A real server that redis-cli reaches by its URL."""
    with TcpServer(short_dir / "r", redis_program) as server:
        yield server


def blocks() -> list[str]:
    """The page's shell blocks."""
    page = (PROJECT / "examples" / "redis-cli.md").read_text()
    return re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def script() -> str:
    """All of them as one program that marks where each begins."""
    if shutil.which("redis-cli") is None and not IS_CI:
        pytest.skip("redis-cli is not installed")
    return "set -eu\n" + "".join(f"echo '{MARK}'\n{block}" for block in blocks())


async def run_page(server: TcpServer) -> tuple[list[str], list[TapeEvent]]:
    """What each block prints on a tape with three events and a watermark, and those events with a fourth.

    The fourth comes while the page waits for it.
    """
    async with connect(server.url) as client:
        writer = TapeWriter(client, await create_tape(client), TapeFactory())
        await client.sadd(KEYS.codes(KEYS.partition(CODE)), CODE)
        events = [await writer.baseline(), await writer.change(), await writer.change()]
        await writer.watermark(events[-1].data.observed_at)
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", script()),
            env=os.environ | {"REDIS_URL": server.tcp_url},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        while (await client.info("clients"))["blocked_clients"] == 0:
            assert process.returncode is None, "it ended before it waited"
            await asyncio.sleep(0.01)
        events.append(await writer.change())
        output = (await process.communicate())[0].decode()
        assert process.returncode == 0, output
        assert not await client.exists(KEYS.interest, KEYS.interest_want)
    return output.split(f"{MARK}\n")[1:], events


async def test_every_block_of_the_page_works(tcp_server: TcpServer) -> None:
    """It finds the code, its book, the event that comes, those before, the watermark; it asks and takes that back."""
    printed, events = await run_page(tcp_server)
    meta, where, codes, book, following, before, fresh, asked, left = printed
    assert meta.split() == ["schema", "1", "partitions", "16"]
    assert where == f"{CODE} is in partition {partition_of(CODE, 16)}\n"
    assert codes == f"{CODE}\n"
    *fields, snapshot = book.splitlines()
    assert (fields[1], fields[-1]) == (str(events[2].data.seq), events[2].data.hash)
    assert json.loads(snapshot)["code"] == CODE
    assert ids(following) == [events[3].id]
    assert ids(before) == [event.id for event in reversed(events)]
    assert list(json.loads(fresh.splitlines()[0])["data"]["codes"]) == [CODE]
    assert (asked.split(), left.split()) == (["1", "1"], ["1", "1"])


def ids(output: str) -> list[str]:
    """The ids of the events in what redis-cli prints of a stream."""
    return [json.loads(line)["id"] for line in output.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("code", ["HK.00700", "HK.09988", "HK.00001", "HK.99999"])
async def test_the_pages_partition_is_the_contracts(code: str) -> None:
    """Its shell function computes the same CRC, for any number of partitions."""
    function = next(block for block in blocks() if block.startswith("partition()")).partition("\n\n")[0]
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", f"{function}\npartition {code} 1; partition {code} 16; partition {code} 64"),
        stdout=asyncio.subprocess.PIPE,
    )
    found = (await process.communicate())[0].split()
    assert [int(number) for number in found] == [partition_of(code, count) for count in (1, 16, 64)]
