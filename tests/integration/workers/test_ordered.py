"""Ordered mode: partitions are owned through leases, by workers that are killed and frozen."""

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import NamedTuple

import pytest
import redis.asyncio

from brokertape.cli.redis_server import RedisServer
from brokertape.tape.keys import Keys
from brokertape.workers import Delivery
from support import ordered_process
from support.forking import Process
from support.ordered_process import LEASE_S, LINES, REFUSED
from support.tape_factory import TapeFactory, create_tape, dead_letters, pending, publish
from support.waiting import until
from support.workers import GROUP, Recorder, a_worker, quick, running

pytestmark = pytest.mark.server

CODES = 24


class Line(NamedTuple):
    """What a worker's sink was told."""

    consumer: str
    fence: int
    code: str
    seq: int
    what: str


@contextmanager
def three_workers(url: str) -> Iterator[list[Process]]:
    """Processes `w0` to `w2`, ended with the block."""
    processes = [ordered_process.start(url, f"w{number}") for number in range(3)]
    try:
        yield processes
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


async def lines(client: redis.asyncio.Redis) -> list[Line]:
    """All the sink was told, in order."""
    entries: list[bytes] = await client.lrange(LINES, 0, -1)  # type: ignore[assignment]
    found = [entry.decode().split() for entry in entries]
    return [Line(consumer, int(fence), code, int(seq), what) for consumer, fence, code, seq, what in found]


async def owners(client: redis.asyncio.Redis, since: int) -> set[str]:
    """Who ended anything after so many lines."""
    return {line.consumer for line in (await lines(client))[since:] if line.what == "end"}


def faults_of(code: str, told: Sequence[Line]) -> Iterator[str]:
    """Events out of order, or two workers on the code at once. A new owner may repeat what the last one began."""
    begun: Line | None = None
    done = 0
    for line in told:
        if line.what == "begin":
            if begun is not None and line.fence == begun.fence:
                yield f"{code}: {line} while {begun} has not ended"
            if begun is not None and line.fence < begun.fence:
                yield f"{code}: {line} after its partition had passed to {begun}"
            if line.seq > done + 1:
                yield f"{code}: {line} after {done}"
            begun = line
        elif begun is None or line[:4] != begun[:4]:
            yield f"{code}: {line} ends what {begun} began"
        else:
            done, begun = line.seq, None


async def keep_publishing(
    client: redis.asyncio.Redis, keys: Keys, factories: Sequence[TapeFactory], stop: asyncio.Event
) -> None:
    """Change after change of every code."""
    while not stop.is_set():
        await publish(client, keys, [factory.change() for factory in factories])
        await asyncio.sleep(0.05)  # the pace of the tape


async def test_one_killed_one_frozen_past_its_lease_keep_every_codes_order(
    redis_server: RedisServer, client: redis.asyncio.Redis
) -> None:
    """Three workers; never two on one code at a time, nothing out of order, everything handled."""
    keys = await create_tape(client)
    factories = [TapeFactory(f"HK.{number:05}") for number in range(1, CODES + 1)]
    await publish(client, keys, [factory.baseline() for factory in factories])
    stop = asyncio.Event()
    publishing = asyncio.create_task(keep_publishing(client, keys, factories, stop))
    with three_workers(redis_server.url) as processes:
        await until_owned_by(client, {"w0", "w1", "w2"})
        processes[0].kill()
        await until_owned_by(client, {"w1", "w2"}, everything=True)
        processes[1].send_signal(signal.SIGSTOP)
        await until_owned_by(client, {"w2"}, everything=True)
        processes[1].send_signal(signal.SIGCONT)
        await until_owned_by(client, {"w1", "w2"}, everything=True)
        stop.set()
        await publishing
        await until_handled(client, keys, factories)
    told = await lines(client)
    by_code = {factory.code: [line for line in told if line.code == factory.code] for factory in factories}
    assert [fault for code, of_code in by_code.items() for fault in faults_of(code, of_code)] == []
    assert {code: of_code[-1].seq for code, of_code in by_code.items()} == {f.code: f.seq for f in factories}
    assert await dead_letters(client, keys, ordered_process.GROUP) == []
    print(f"{len(told)} lines, {int(await client.get(REFUSED) or 0)} refused by their fence")


async def until_owned_by(client: redis.asyncio.Redis, consumers: set[str], *, everything: bool = False) -> None:
    """Until exactly these work; with `everything`, on all codes between them."""
    async with asyncio.timeout(30):
        while True:
            since = await client.llen(LINES)
            await asyncio.sleep(LEASE_S / 2)
            told = (await lines(client))[since:]
            is_all = not everything or len({line.code for line in told}) == CODES
            if {line.consumer for line in told} == consumers and is_all:
                return


async def until_handled(client: redis.asyncio.Redis, keys: Keys, factories: Sequence[TapeFactory]) -> None:
    """Until every code's last event has ended and nothing is pending."""
    last = {(factory.code, factory.seq) for factory in factories}
    async with asyncio.timeout(30):
        while await pending(client, keys, ordered_process.GROUP) or not last <= {
            (line.code, line.seq) for line in await lines(client) if line.what == "end"
        }:
            await asyncio.sleep(0.1)


def test_the_check_finds_what_it_is_for() -> None:
    """A hole, an overlap and a step back are told; a new owner's repeat is none."""
    first, second = ("w0", 1, "c"), ("w1", 2, "c")
    fine = [Line(*first, 1, "begin"), Line(*first, 1, "end"), Line(*first, 2, "begin"), Line(*second, 2, "begin")]
    assert list(faults_of("c", [*fine, Line(*second, 2, "end")])) == []
    assert len(list(faults_of("c", [*fine[:2], Line(*first, 3, "begin")]))) == 1
    assert len(list(faults_of("c", [*fine[:3], Line(*first, 3, "begin")]))) == 2
    assert len(list(faults_of("c", [*fine, Line(*first, 2, "end")]))) == 1


async def test_what_fails_holds_up_its_partition_until_it_is_buried(real_redis: redis.asyncio.Redis) -> None:
    """What follows it comes after it; other partitions go on."""
    keys = await create_tape(real_redis)
    factory, other = TapeFactory("HK.00700"), TapeFactory("HK.00005")
    events = factory.day(20)
    poison = events[7]
    await publish(real_redis, keys, [*events, *other.day(20)])
    recorder = Recorder(lambda batch: RuntimeError("poison") if poison in [one.event for one in batch] else None)
    worker = a_worker(real_redis, keys, recorder, quick(ordered=True))
    async with running(worker):
        await until(lambda: worker.counts.handled == 2 * len(events) - 1)
    assert worker.counts.dead == 1
    seqs = [one.event.data.seq for one in recorder.handled if one.event.data.code == factory.code]
    assert seqs == [event.data.seq for event in events if event is not poison]
    attempts = [one for batch in recorder.batches for one in batch if one.event == poison]
    assert attempts[-1].attempts == 5
    assert await pending(real_redis, keys, GROUP) == 0


async def test_a_stop_passes_partitions_on_at_once(real_redis: redis.asyncio.Redis) -> None:
    """Nobody waits for the leases to run out."""
    keys = await create_tape(real_redis)
    first, second = (a_worker(real_redis, keys, Recorder(), quick(name, ordered=True, lease_s=4)) for name in "ab")
    async with running(first):
        await until(lambda: first.state.owned == tuple(range(16)))
    async with running(second):
        await until(lambda: second.state.owned == tuple(range(16)), timeout_s=2)


async def test_more_workers_share_the_partitions(real_redis: redis.asyncio.Redis) -> None:
    """Whoever has too many finishes and gives up."""
    keys = await create_tape(real_redis)
    workers = [a_worker(real_redis, keys, Recorder(), quick(name, ordered=True)) for name in ("a", "b", "c")]
    async with running(workers[0]), running(workers[1]), running(workers[2]):
        await until(lambda: are_shared([worker.state.owned or () for worker in workers]))


def are_shared(owned: Sequence[Sequence[int]]) -> bool:
    """Whether all partitions are, each with one worker and none with more than its part."""
    return sorted(map(len, owned)) == [4, 6, 6] and sorted(chain(*owned)) == list(range(16))


async def test_a_lost_lease_cuts_the_handler_short(redis_server: RedisServer, client: redis.asyncio.Redis) -> None:
    """While Redis is away nobody can know whose the partition is: the call is cancelled when the lease is over."""
    keys = await create_tape(client)
    await publish(client, keys, [TapeFactory().baseline()])
    began, cut = asyncio.Event(), asyncio.Event()

    class Hanging(Recorder):
        async def __call__(self, batch: Sequence[Delivery]) -> None:
            began.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cut.set()
                raise

    worker = a_worker(client, keys, Hanging(), quick(ordered=True, stop_timeout_s=0.1))
    async with running(worker):
        await began.wait()
        redis_server.kill()
        async with asyncio.timeout(5):
            await cut.wait()
    assert worker.counts.leases_lost == keys.partitions


@pytest.mark.parametrize("late", [1, 2, 3])
async def test_what_was_given_to_a_frozen_worker_too_late_comes_first(
    real_redis: redis.asyncio.Redis, late: int
) -> None:
    """One that is frozen as it asks asks when it goes on, after its lease: the owner takes over what it was given."""
    keys, factory = await create_tape(real_redis), TapeFactory()
    events = [factory.baseline(), *(factory.change() for _ in range(3))]
    await publish(real_redis, keys, events[:1])
    began, go_on = asyncio.Event(), asyncio.Event()

    class Waiting(Recorder):
        async def __call__(self, batch: Sequence[Delivery]) -> None:
            began.set()
            await go_on.wait()
            await super().__call__(batch)

    handler = Waiting()
    async with running(a_worker(real_redis, keys, handler, quick(ordered=True, min_idle_ms=60_000))):
        await began.wait()
        await publish(real_redis, keys, events[1 : 1 + late])
        assert await real_redis.xreadgroup(GROUP, "frozen", {keys.tape_of(factory.code): ">"})
        await publish(real_redis, keys, events[1 + late :])
        go_on.set()
        await until(lambda: len(handler.ids) == len(events))
    assert handler.ids == [event.id for event in events]
    assert [one.attempts for one in handler.handled] == [1] + [2] * late + [1] * (3 - late)
    assert await pending(real_redis, keys, GROUP) == 0


async def test_lost_leases_give_rise_to_no_second_owner(real_redis: redis.asyncio.Redis) -> None:
    """Whoever works under one that Redis has forgotten is cut, before anybody is given one; tokens only rise."""
    keys = await create_tape(real_redis)
    await publish(real_redis, keys, [TapeFactory().baseline()])
    fences: list[int] = []
    began, ended = asyncio.Event(), asyncio.Event()

    class Working(Recorder):
        async def __call__(self, batch: Sequence[Delivery]) -> None:
            assert not began.is_set() or ended.is_set(), "two calls at once"
            began.set()
            fences.append(batch[0].fence or 0)
            try:
                if len(fences) == 1:
                    await asyncio.Event().wait()
            finally:
                ended.set()

    workers = [a_worker(real_redis, keys, Working(), quick(name, ordered=True)) for name in ("a", "b")]
    async with running(workers[0]):
        await began.wait()
        async with running(workers[1]):
            await real_redis.delete(keys.private(f"leases:tape:{GROUP}"))
            await until(lambda: sum(worker.counts.handled for worker in workers) == 1)
    assert len(fences) == 2
    assert fences[1] > fences[0]
