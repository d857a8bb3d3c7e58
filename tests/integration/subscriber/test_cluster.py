"""A subscription over the nodes of a Cluster: one reader a stream, one face."""

import os
import signal
import time
from pathlib import Path

import pytest

from brokertape.subscriber import State, subscribe
from brokertape.tape.connection import connect
from brokertape.tape.keys import Keys
from support.cluster import has_taken_over, replica_of, three_nodes
from support.subscriptions import listening
from support.tape_factory import TapeFactory, create_tape
from support.tape_writer import TapeWriter
from support.waiting import until

pytestmark = pytest.mark.server

CODES = ["HK.00700", "HK.00005", "HK.09988", "HK.01810", "HK.03690"]


async def begin(url: str) -> tuple[Keys, list[TapeFactory]]:
    """A tape with a baseline of each code."""
    factories = [TapeFactory(code, epoch=time.time_ns() // 1_000_000) for code in CODES]
    async with connect(url) as client:
        keys = await create_tape(client)
        for factory in factories:
            await TapeWriter(client, keys, factory).baseline()
    return keys, factories


async def test_codes_of_several_nodes_are_followed(short_dir: Path, redis_program: Path) -> None:
    """Books, changes, ages and interest; a node that restarts holds up its own codes alone, and none is lost."""
    with three_nodes(short_dir, redis_program) as nodes:
        url = f"redis+cluster://127.0.0.1:{nodes[0].port}"
        keys, factories = await begin(url)
        async with listening(subscribe(url, CODES, max_age=600)) as listener:
            await until(lambda: listener.count("state") == len(CODES))
            nodes[1].kill()
            await until(lambda: "disconnected" in listener.kinds)
            nodes[1].start()
            await until(lambda: "connected" in listener.kinds, timeout_s=30)
            async with connect(url) as client:
                for factory in factories:
                    await TapeWriter(client, keys, factory).change(20)
                for factory in factories:
                    await listener.reached(factory.code, (factory.epoch, 21))
                    book = listener.tape.book(factory.code)
                    assert book is not None
                    assert book.rows == factory.rows
                assert await client.zcard(keys.interest) == len(CODES)
        assert listener.count("change") == 20 * len(CODES)
        assert not [one for one in listener.events if isinstance(one, State) and one.kind == "resync"]
        async with connect(url) as client:
            assert await client.zcard(keys.interest) == 0


@pytest.mark.parametrize("trouble", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("asks", [True, False])
async def test_a_node_that_is_gone_for_good_is_followed_in_its_replica(
    short_dir: Path, redis_program: Path, trouble: signal.Signals, asks: bool
) -> None:
    """Dead or standing still: once the replica is master, the codes of that node are read from there."""
    with (
        three_nodes(short_dir, redis_program) as (first, gone, last),
        replica_of(gone, short_dir / "r", redis_program) as replica,
    ):
        url = f"redis+cluster://127.0.0.1:{first.port}"
        keys, factories = await begin(url)
        async with listening(subscribe(url, CODES, max_age=600, asks=asks)) as listener:
            await until(lambda: listener.count("state") == len(CODES))
            os.kill(gone.pid, trouble)
            await until(lambda: has_taken_over(replica, [first, last]))
            async with connect(f"redis+cluster://127.0.0.1:{replica.port}") as client:
                for factory in factories:
                    await TapeWriter(client, keys, factory).change()
                for factory in factories:
                    await listener.reached(factory.code, (factory.epoch, 2), timeout_s=60)
