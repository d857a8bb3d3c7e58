"""Live interest on a Redis Cluster, where its two keys lie on different servers."""

from pathlib import Path

import pytest

from brokertape.publisher.watch import WatchList
from brokertape.tape.connection import connect, server_time_ms
from brokertape.tape.interest import member_of
from brokertape.tape.keys import Keys, partition_of
from brokertape.tape.want import Want
from support.cluster import SLOTS, three_nodes

pytestmark = pytest.mark.server


async def test_interest_is_read_and_swept_over_two_slots(short_dir: Path, redis_program: Path) -> None:
    """By the clock of the server that keeps the expiries."""
    keys = Keys()
    assert partition_of(keys.interest, SLOTS) // (SLOTS // 3) != partition_of(keys.interest_want, SLOTS) // (SLOTS // 3)
    with three_nodes(short_dir, redis_program) as nodes:
        async with connect(f"redis+cluster://127.0.0.1:{nodes[0].port}") as client:
            now = await server_time_ms(client, keys.interest)
            members = {member_of("HK.00700", "live"): now + 30_000, member_of("HK.00700", "gone"): now - 61_000}
            await client.zadd(keys.interest, members)
            await client.hset(keys.interest_want, mapping=dict.fromkeys(members, '{"weight": 2}'))
            watch = WatchList(client, keys)
            await watch.add("HK.00005", Want())
            assert (await watch.wanted()).wants == {"HK.00700": Want(weight=2), "HK.00005": Want()}
            assert await watch.interest.sweep() == 1
            assert await client.hkeys(keys.interest_want) == [b"HK.00700|live"]
