"""The tape of a replay on a Redis Cluster."""

from pathlib import Path

import pytest

from brokertape.publisher.commit import BookStore
from brokertape.publisher.replay_tape import Run, claim
from brokertape.tape.codec import dump
from brokertape.tape.connection import connect
from brokertape.tape.keys import Keys
from support.cluster import three_nodes
from support.tape_factory import TapeFactory

pytestmark = pytest.mark.server


async def test_a_replay_is_written_and_replaced_on_all_nodes(short_dir: Path, redis_program: Path) -> None:
    """Books of codes in every slot, and none is left by the time the next replay begins."""
    keys, factories = Keys("again", 4), [TapeFactory(f"HK.{number:05}") for number in range(1, 30)]
    with three_nodes(short_dir, redis_program) as nodes:
        async with connect(f"redis+cluster://127.0.0.1:{nodes[0].port}") as client:
            tape = await claim(client, keys, Run.new(0, 1), may_replace=False)
            for factory in factories:
                event = factory.baseline()
                await tape.append(event, dump(event), factory.rows, event.data.observed_at)
            await tape.end("x")
            books = [(await BookStore(client, keys).read(factory.code)).book for factory in factories]
            assert [book.rows for book in books if book is not None] == [factory.rows for factory in factories]
            assert {keys.partition(factory.code) for factory in factories} == set(range(keys.partitions))
            await claim(client, keys, Run.new(0, 1), may_replace=True)
            assert [name async for name in client.scan_iter(match="again:{*}:*")] == []
