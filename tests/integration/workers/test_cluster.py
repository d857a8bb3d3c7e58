"""The same worker on a Redis Cluster, where no call may touch two slots."""

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
import redis
from redis.asyncio import RedisCluster

from brokertape.tape.connection import connect
from brokertape.tape.keys import Keys
from brokertape.workers import Delivery, MemoryPositions
from support.cluster import has_taken_over, replica_of, three_nodes
from support.tape_factory import TapeFactory, create_tape, dead_letters, pending, publish, settled
from support.waiting import until
from support.workers import GROUP, Recorder, a_worker, quick, running

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def cluster_url(redis_program: Path) -> Iterator[str]:
    """One cluster for this file."""
    directory = Path(tempfile.mkdtemp(prefix="bt"))
    with three_nodes(directory, redis_program) as nodes:
        node = redis.Redis(unix_socket_path=str(nodes[0].socket))
        yield f"redis+cluster://127.0.0.1:{node.config_get('port')['port']}"
        node.close()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
async def cluster(cluster_url: str) -> AsyncIterator[RedisCluster]:
    """A client of an emptied cluster."""
    client = connect(cluster_url, max_connections=128)
    assert isinstance(client, RedisCluster)
    await client.flushall(target_nodes=RedisCluster.PRIMARIES)
    yield client
    await client.aclose()


@pytest.mark.parametrize("ordered", [False, True])
async def test_every_partition_is_read_and_acknowledged(cluster: RedisCluster, ordered: bool) -> None:
    """Sixteen partitions over three masters, each on a lane of its own."""
    keys = await create_tape(cluster)
    code_in = {keys.partition(code): code for code in (f"HK.{number:05}" for number in range(999))}
    assert code_in.keys() == {*range(16)}
    factories = [TapeFactory(code) for code in code_in.values()]
    worker = a_worker(cluster, keys, recorder := Recorder(), quick(ordered=ordered))
    events = [event for factory in factories for event in factory.day(3)]
    async with running(worker):
        await publish(cluster, keys, events)
        await until(lambda: worker.counts.handled == len(events))
    assert sorted(recorder.ids) == sorted(event.id for event in events)
    assert await pending(cluster, keys, GROUP) == 0


async def test_a_dead_workers_entries_and_poison_are_dealt_with(cluster: RedisCluster) -> None:
    """Claiming and burying stay within a slot."""
    keys = await create_tape(cluster)
    factories = [TapeFactory(f"HK.{number:05}") for number in range(20)]
    events = [event for factory in factories for event in factory.day(3)]
    await publish(cluster, keys, events)
    for tape in keys.tapes():
        await cluster.xgroup_create(tape, GROUP, "0", mkstream=True)
        await cluster.xreadgroup(GROUP, "dead", {tape: ">"})
    poison = events[7]

    def fault(batch: Sequence[Delivery]) -> Exception | None:
        return RuntimeError("poison") if poison in [one.event for one in batch] else None

    worker = a_worker(cluster, keys, Recorder(fault))
    async with running(worker):
        await until(lambda: worker.counts.handled == len(events) - 1)
        await until(lambda: worker.counts.dead == 1)
    assert worker.counts.claimed >= len(events)
    assert len(await dead_letters(cluster, keys, GROUP)) == 1
    assert await pending(cluster, keys, GROUP) == 0


async def test_a_flushed_cluster_is_followed_on(cluster: RedisCluster) -> None:
    """Each lane rebuilds its own group."""
    keys: Keys = await create_tape(cluster)
    positions = MemoryPositions()
    worker = a_worker(cluster, keys, recorder := Recorder(), quick(), positions)
    async with running(worker):
        await until(lambda: len(positions._saved) == keys.partitions)
        await cluster.flushall(target_nodes=RedisCluster.PRIMARIES)
        events = [TapeFactory(f"HK.{number:05}").baseline() for number in range(60)]
        await publish(cluster, keys, events)
        await until(lambda: worker.counts.handled == len(events))
        await settled(cluster, keys, GROUP)
    assert sorted(recorder.ids) == sorted(event.id for event in events)
    assert worker.counts.groups_lost >= 1


@pytest.mark.parametrize("trouble", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_master_that_is_gone_for_good_is_followed_in_its_replica(
    redis_program: Path, short_dir: Path, trouble: signal.Signals
) -> None:
    """Dead, or neither refusing nor answering anything: its partitions are read from the replica in its place."""
    with (
        three_nodes(short_dir, redis_program) as (first, *others),
        replica_of(first, short_dir / "r", redis_program) as replica,
    ):
        url = f"redis+cluster://127.0.0.1:{others[0].port}"
        client = connect(url, command_timeout_s=1.0, max_connections=128)
        keys, factories = await create_tape(client), [TapeFactory(f"HK.{number:05}") for number in range(30)]
        await publish(client, keys, [factory.baseline() for factory in factories])
        worker = a_worker(client, keys, Recorder())
        async with running(worker):
            await until(lambda: worker.counts.handled == len(factories))
            os.kill(first.pid, trouble)
            await until(lambda: has_taken_over(replica, others))
            other = connect(f"redis+cluster://127.0.0.1:{replica.port}")
            await publish(other, keys, [factory.change() for factory in factories])
            await until(lambda: worker.counts.handled == 2 * len(factories), timeout_s=60)
        for one in (client, other):
            await one.aclose()
