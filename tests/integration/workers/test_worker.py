"""The runtime on a real server: nothing lost, nobody wrongly blamed, an orderly end."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import redis.asyncio

from brokertape.cli.redis_server import RedisServer
from brokertape.tape.codec import encode_entry
from brokertape.tape.connection import connect
from brokertape.tape.errors import TapeMismatch
from brokertape.tape.events import TapeEvent
from brokertape.tape.keys import Keys
from brokertape.tape.tasks import end_tasks
from brokertape.workers import TAPE, Delivery, MemoryPositions, SinkBroken, SinkUnavailable
from brokertape.workers.counts import WorkerCounts, WorkerState
from brokertape.workers.group import Group
from brokertape.workers.settler import Settler
from support.tape_factory import TapeFactory, create_tape, dead_letters, pending, publish
from support.waiting import until
from support.workers import GROUP, Recorder, a_worker, quick, running

CODES = ("HK.00001", "HK.00005", "HK.00700", "HK.09988")


@pytest.fixture
async def keys(real_redis: redis.asyncio.Redis) -> Keys:
    """An empty tape."""
    return await create_tape(real_redis)


def days(changes: int = 5) -> list[TapeEvent]:
    """Events of several codes, which lie in several partitions."""
    return [event for code in CODES for event in TapeFactory(code).day(changes)]


def fails_on(*ids: str) -> Callable[[Sequence[Delivery]], Exception | None]:
    """A fault of every batch that holds one of these events."""
    return lambda batch: RuntimeError("poison") if {one.event.id for one in batch} & {*ids} else None


async def taken_by(client: redis.asyncio.Redis, keys: Keys, consumer: str, times: int = 1) -> None:
    """`consumer` is given everything, `times` over, and dies without a word."""
    for tape in keys.tapes():
        await client.xgroup_create(tape, GROUP, "0", mkstream=True)
    for after in [">", *["0"] * (times - 1)]:
        await client.xreadgroup(GROUP, consumer, dict.fromkeys(keys.tapes(), after))


async def test_every_event_is_handled_once_and_acknowledged(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """Over all partitions, in each code's order, what was there before and what comes later."""
    before, later = days(), TapeFactory("HK.00388").day(5)
    await publish(real_redis, keys, before)
    worker = a_worker(real_redis, keys, recorder := Recorder())
    async with running(worker):
        await until(lambda: worker.counts.handled == len(before))
        await publish(real_redis, keys, later)
        await until(lambda: worker.counts.handled == len(before + later))
    assert sorted(recorder.ids) == sorted(event.id for event in before + later)
    assert {one.attempts for one in recorder.handled} == {1}
    assert await pending(real_redis, keys, GROUP) == 0
    for code in CODES:
        seqs = [one.event.data.seq for one in recorder.handled if one.event.data.code == code]
        assert seqs == sorted(seqs)


async def test_a_new_group_begins_where_it_is_told(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """`new` leaves out what was there."""
    factory = TapeFactory()
    await publish(real_redis, keys, factory.day(5))
    worker = a_worker(real_redis, keys, recorder := Recorder(), quick(start="new"), positions := MemoryPositions())
    async with running(worker):
        await until(lambda: len(positions._saved) == keys.partitions)  # it has joined
        await publish(real_redis, keys, [change := factory.change()])
        await until(lambda: worker.counts.handled == 1)
    assert recorder.ids == [change.id]


async def test_no_batch_is_larger_than_the_limit(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """However much one read brings."""
    await publish(real_redis, keys, events := days(20))
    worker = a_worker(real_redis, keys, recorder := Recorder(), quick(batch_size=7))
    async with running(worker):
        await until(lambda: worker.counts.handled == len(events))
    assert max(map(len, recorder.batches)) == 7


async def test_poison_alone_goes_to_the_dead_letters(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """After five attempts, with all that is needed to look into it; its neighbours are handled at once."""
    events = days()
    poison = events[8]
    await publish(real_redis, keys, events)
    worker = a_worker(real_redis, keys, recorder := Recorder(fails_on(poison.id)))
    async with running(worker):
        await until(lambda: worker.counts.handled == len(events) - 1)
        await until(lambda: worker.counts.dead == 1)
    [dead] = await dead_letters(real_redis, keys, GROUP)
    assert dead.items() >= {name.encode(): value for name, value in encode_entry(poison).items()}.items()
    assert (dead[b"attempts"], dead[b"error"], dead[b"consumer"]) == (b"5", b"RuntimeError: poison", b"w1")
    assert await real_redis.xrange(keys.tape_of(poison.data.code), dead[b"entry_id"], dead[b"entry_id"])
    assert sorted(recorder.ids) == sorted(event.id for event in events if event is not poison)
    assert {one.attempts for one in recorder.handled} == {1}
    assert await pending(real_redis, keys, GROUP) == 0


async def test_an_entry_that_fails_at_first_is_handled_in_the_end(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """It is delivered again and counted; it does not become a dead letter."""
    await publish(real_redis, keys, [baseline := TapeFactory().baseline()])
    worker = a_worker(real_redis, keys, recorder := Recorder())
    recorder.fault = lambda batch: RuntimeError("not yet") if batch[0].attempts < 3 else None
    async with running(worker):
        await until(lambda: worker.counts.handled == 1)
    assert [(one.event.id, one.attempts) for one in recorder.handled] == [(baseline.id, 3)]
    assert (worker.counts.failed, worker.counts.dead) == (2, 0)


async def test_an_entry_that_cannot_be_read_is_a_dead_letter_at_once(
    real_redis: redis.asyncio.Redis, keys: Keys
) -> None:
    """Its own fields are kept as they are."""
    factory = TapeFactory()
    tape = keys.tape_of(factory.code)
    await publish(real_redis, keys, [factory.baseline()])
    entry_id = await real_redis.xadd(tape, {"colour": "green", "payload": "{"})
    await publish(real_redis, keys, [factory.change()])
    worker = a_worker(real_redis, keys, Recorder())
    async with running(worker):
        await until(lambda: worker.counts.handled == 2)
    [dead] = await dead_letters(real_redis, keys, GROUP)
    assert (dead[b"entry_id"], dead[b"attempts"]) == (entry_id, b"1")
    assert (dead[b"colour"], dead[b"payload"]) == (b"green", b"{")
    assert dead[b"error"].startswith(b"cannot be read: ")
    assert await pending(real_redis, keys, GROUP) == 0


async def test_unknown_types_are_skipped_and_counted(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """A newer publisher is no trouble."""
    factory = TapeFactory()
    entry = encode_entry(factory.baseline())
    entry["payload"] = entry["payload"].replace(b"baseline.v1", b"baseline.v2")
    await real_redis.xadd(keys.tape_of(factory.code), dict[Any, Any](entry))
    worker = a_worker(real_redis, keys, recorder := Recorder())
    async with running(worker):
        await until(lambda: worker.counts.unknown == 1)
    assert recorder.batches == []
    assert await dead_letters(real_redis, keys, GROUP) == []
    assert await pending(real_redis, keys, GROUP) == 0


async def test_a_worker_begins_with_what_it_left_pending(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """Before anything new, without waiting for it to be idle."""
    events = days()
    await publish(real_redis, keys, events)
    await taken_by(real_redis, keys, "w1")
    worker = a_worker(real_redis, keys, recorder := Recorder(), quick(min_idle_ms=60_000))
    async with running(worker):
        await publish(real_redis, keys, [later := TapeFactory("HK.00388").baseline()])
        await until(lambda: worker.counts.handled == len(events) + 1)
    assert sorted(recorder.ids[:-1]) == sorted(event.id for event in events)
    assert {one.attempts for one in recorder.handled[:-1]} == {2}
    assert recorder.ids[-1] == later.id


async def test_a_dead_workers_entries_are_claimed(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """By whoever is there, once they lay idle."""
    events = days()
    await publish(real_redis, keys, events)
    await taken_by(real_redis, keys, "dead")
    worker = a_worker(real_redis, keys, recorder := Recorder())
    async with running(worker):
        await until(lambda: worker.counts.handled == len(events))
    assert worker.counts.claimed == len(events)
    assert {one.attempts for one in recorder.handled} == {2}
    assert await pending(real_redis, keys, GROUP) == 0


async def test_what_ends_its_workers_is_buried_and_its_neighbours_are_not(
    real_redis: redis.asyncio.Redis, keys: Keys
) -> None:
    """Twice five deliveries without an answer; those that lay beside it once are handled."""
    factory = TapeFactory()
    [killer] = await publish(real_redis, keys, [factory.baseline()])
    await taken_by(real_redis, keys, "dead", times=10)
    neighbours = [factory.change() for _ in range(3)]
    await publish(real_redis, keys, neighbours)
    await real_redis.xreadgroup(GROUP, "dead", {keys.tape_of(factory.code): ">"})
    worker = a_worker(real_redis, keys, recorder := Recorder())
    async with running(worker):
        await until(lambda: worker.counts.handled == len(neighbours))
        await until(lambda: worker.counts.dead == 1)
    [dead] = await dead_letters(real_redis, keys, GROUP)
    assert (dead[b"entry_id"].decode(), dead[b"error"]) == (killer, b"delivered 10 times and never answered")
    assert recorder.ids == [event.id for event in neighbours]


@pytest.mark.parametrize("consumer", ["w1", "dead"], ids=["own", "claimed"])
async def test_entries_trimmed_while_pending_are_counted(
    real_redis: redis.asyncio.Redis, keys: Keys, consumer: str
) -> None:
    """They are lost, and said to be; the others are handled."""
    factory = TapeFactory()
    await publish(real_redis, keys, factory.day(4))
    await taken_by(real_redis, keys, consumer)
    await real_redis.xtrim(keys.tape_of(factory.code), maxlen=3, approximate=False)
    worker = a_worker(real_redis, keys, Recorder())
    async with running(worker):
        await until(lambda: worker.counts.handled == 3)
        await until(lambda: worker.counts.trimmed == 2)
    assert await pending(real_redis, keys, GROUP) == 0


async def test_two_workers_share_the_tape(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """Every event goes to one of them."""
    recorder = Recorder()
    workers = [a_worker(real_redis, keys, recorder, quick(name, min_idle_ms=60_000)) for name in ("w1", "w2")]
    events = days(40)
    async with running(workers[0]), running(workers[1]):
        for event in events:
            await publish(real_redis, keys, [event])
        await until(lambda: len(recorder.handled) == len(events))
    assert sorted(recorder.ids) == sorted(event.id for event in events)
    assert await pending(real_redis, keys, GROUP) == 0


async def test_a_flushed_redis_is_a_lost_group(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """The worker says so, rebuilds it under itself, and misses nothing that comes after."""
    factory = TapeFactory()
    await publish(real_redis, keys, factory.day(5))
    worker = a_worker(real_redis, keys, recorder := Recorder())
    async with running(worker):
        await until(lambda: worker.counts.handled == 6)
        await real_redis.flushall()
        await publish(real_redis, keys, [after := factory.new_epoch()])
        await until(lambda: after.id in recorder.ids)
        await publish(real_redis, keys, [other := TapeFactory("HK.00005").baseline()])
        await until(lambda: other.id in recorder.ids)
    assert worker.counts.groups_lost >= 1
    assert recorder.ids.count(after.id) == 1


async def test_a_destroyed_group_goes_on_from_the_saved_position(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """The tape is still there: nothing saved comes again, nothing after it is missed."""
    factory = TapeFactory()
    tape = keys.tape_of(factory.code)
    positions = MemoryPositions()
    first = factory.day(5)
    *_, last = await publish(real_redis, keys, first)
    worker = a_worker(real_redis, keys, recorder := Recorder(), positions=positions)
    async with running(worker):
        await until(lambda: last in positions._saved.values())
    await real_redis.xgroup_destroy(tape, GROUP)
    await publish(real_redis, keys, [missed := factory.change()])
    async with running(worker):
        await until(lambda: missed.id in recorder.ids)
    assert recorder.ids == [event.id for event in [*first, missed]]
    assert worker.counts.groups_lost == 1


async def test_a_lost_group_on_another_tape_begins_at_its_start(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """The saved entry is not on it: reading after that id would skip what is there."""
    factory = TapeFactory()
    positions = MemoryPositions()
    await positions.save({keys.partition(factory.code): "9999999999999-0"})
    await publish(real_redis, keys, [baseline := factory.baseline()])
    worker = a_worker(real_redis, keys, recorder := Recorder(), quick(start="new"), positions)
    async with running(worker):
        await until(lambda: recorder.ids == [baseline.id])
    assert worker.counts.groups_lost == 1


async def test_a_tape_made_anew_with_other_partitions_ends_the_worker(
    real_redis: redis.asyncio.Redis, keys: Keys
) -> None:
    """It would read some of them and silently miss the others."""
    worker = a_worker(real_redis, keys, Recorder(), positions=(positions := MemoryPositions()))
    task = asyncio.create_task(worker.run(asyncio.Event()))
    await until(lambda: len(positions._saved) == keys.partitions)
    await real_redis.hset(keys.meta, "partitions", "32")
    await real_redis.delete(*keys.tapes())
    with pytest.raises(TapeMismatch, match="made anew with 32 partitions, it had 16"):
        await task


async def test_a_position_is_never_ahead_of_unfinished_work(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """While another member holds an entry of a partition, nothing later on it is remembered as done."""
    factory = TapeFactory()
    await publish(real_redis, keys, [factory.baseline()])
    await taken_by(real_redis, keys, "other")
    positions = MemoryPositions()
    worker = a_worker(real_redis, keys, Recorder(), quick(min_idle_ms=60_000), positions)
    async with running(worker):
        other = TapeFactory("HK.00005")
        _, last = await publish(real_redis, keys, [factory.change(), other.baseline()])
        await until(lambda: worker.counts.handled == 2)
        await until(lambda: positions._saved.get(keys.partition(other.code)) == last)
    assert keys.partition(factory.code) not in positions._saved


async def test_a_group_beyond_the_tape_is_moved_back(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """It would skip everything until the tape catches up with it."""
    factory = TapeFactory()
    await publish(real_redis, keys, [baseline := factory.baseline()])
    await real_redis.xgroup_create(keys.tape_of(factory.code), GROUP, "9999999999999-0")
    worker = a_worker(real_redis, keys, recorder := Recorder())
    async with running(worker):
        await until(lambda: recorder.ids == [baseline.id])
    assert worker.counts.rollbacks == 1


async def test_a_tape_behind_the_saved_position_is_reported(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """Redis lost its end, and the group's with it: new entries come as ever."""
    factory = TapeFactory()
    positions = MemoryPositions()
    worker = a_worker(real_redis, keys, recorder := Recorder(), positions=positions)
    async with running(worker):
        await until(lambda: len(positions._saved) == keys.partitions)
    await positions.save({keys.partition(factory.code): "9999999999999-0"})
    async with running(worker):
        await publish(real_redis, keys, [baseline := factory.baseline()])
        await until(lambda: recorder.ids == [baseline.id])
        await until(lambda: "9999999999999-0" not in positions._saved.values())
    assert worker.counts.rollbacks == 1


async def test_a_graceful_stop_finishes_what_is_in_hand(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """Stop comes in the middle of the first of many batches: all that was read is handled and acknowledged."""
    events = days()
    await publish(real_redis, keys, events)
    worker = a_worker(real_redis, keys, recorder := Recorder(), quick(batch_size=3))
    async with running(worker) as stop:

        def stop_now(_batch: Sequence[Delivery]) -> None:
            stop.set()

        recorder.fault = stop_now
        await until(stop.is_set)
    assert len(recorder.handled) == len(events)
    assert await pending(real_redis, keys, GROUP) == 0


async def test_an_idle_worker_stops_at_once(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """It does not wait for its next upkeep."""
    worker = a_worker(real_redis, keys, Recorder(), quick(upkeep_every_s=20, min_idle_ms=60_000))
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    await until(lambda: len(worker.state.lags) == keys.partitions)
    stop.set()
    async with asyncio.timeout(5):
        await task


async def test_a_stop_has_a_deadline(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """A handler that hangs is left; its entries stay pending for the next worker."""
    await publish(real_redis, keys, [TapeFactory().baseline()])
    hangs = asyncio.Event()

    class Hanging(Recorder):
        async def __call__(self, batch: Sequence[Delivery]) -> None:
            hangs.set()
            await asyncio.Event().wait()

    worker = a_worker(real_redis, keys, Hanging(), quick(stop_timeout_s=0.05))
    async with asyncio.timeout(5), running(worker):
        await hangs.wait()
    assert await pending(real_redis, keys, GROUP) == 1


async def test_a_sink_that_is_away_is_waited_for(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """Longer than any number of attempts, and no entry is to blame."""
    events = days()
    await publish(real_redis, keys, events)
    worker = a_worker(real_redis, keys, recorder := Recorder())
    recorder.fault = lambda _batch: SinkUnavailable("away") if len(recorder.batches) < 4 else None
    async with running(worker):
        await until(lambda: worker.counts.handled == len(events))
    assert worker.counts.sink_waits == 3
    assert {one.attempts for one in recorder.handled} == {1}
    assert (worker.counts.failed, worker.counts.dead) == (0, 0)


async def test_stop_does_not_wait_for_a_sink_that_is_away(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """What could not be stored is not acknowledged."""
    events = days()
    await publish(real_redis, keys, events)
    worker = a_worker(real_redis, keys, Recorder(lambda _batch: SinkUnavailable("away")))
    async with running(worker):
        await until(lambda: worker.counts.sink_waits > 1)
    assert await pending(real_redis, keys, GROUP) == len(events)


async def test_a_broken_sink_ends_the_worker(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """With its reason; nothing is acknowledged or buried, however often it is started."""
    event = TapeFactory().baseline()
    await publish(real_redis, keys, [event])
    for _ in range(3):
        worker = a_worker(real_redis, keys, Recorder(lambda _batch: SinkBroken("no such table")))
        with pytest.raises(SinkBroken, match="no such table"):
            await worker.run(asyncio.Event())
    [held] = await real_redis.xpending_range(keys.tape_of(event.data.code), GROUP, "-", "+", 10)
    assert held["times_delivered"] == 0
    assert await dead_letters(real_redis, keys, GROUP) == []


async def test_a_handler_that_takes_too_long_is_cut_off(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """The one entry that hangs is a dead letter in the end; its neighbours are handled."""
    events = days()
    await publish(real_redis, keys, events)
    hangs = events[4]

    class Hanging(Recorder):
        async def __call__(self, batch: Sequence[Delivery]) -> None:
            if hangs in [one.event for one in batch]:
                await asyncio.Event().wait()
            await super().__call__(batch)

    worker = a_worker(real_redis, keys, recorder := Hanging(), quick(handler_timeout_s=0.05))
    async with running(worker):
        await until(lambda: worker.counts.handled == len(events) - 1)
        await until(lambda: worker.counts.dead == 1)
    [dead] = await dead_letters(real_redis, keys, GROUP)
    assert dead[b"error"] == b"TooSlow: the handler took longer than 0.05 s"
    assert hangs.id not in recorder.ids


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_calls_of_the_handler_overlap_as_far_as_allowed(
    real_redis: redis.asyncio.Redis, keys: Keys, concurrency: int
) -> None:
    """And no further."""
    await publish(real_redis, keys, events := days(20))
    at_once: list[int] = []

    class Counting(Recorder):
        running = 0

        async def __call__(self, batch: Sequence[Delivery]) -> None:
            self.running += 1
            at_once.append(self.running)
            await asyncio.sleep(0.005)
            self.running -= 1
            await super().__call__(batch)

    worker = a_worker(real_redis, keys, Counting(), quick(batch_size=3, concurrency=concurrency))
    async with running(worker):
        await until(lambda: worker.counts.handled == len(events))
    assert max(at_once) == concurrency


async def test_no_more_is_read_than_may_be_in_hand(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """A slow handler does not fill the memory, nor the pending list."""
    await publish(real_redis, keys, events := days(100))
    goes_on = asyncio.Event()

    class Waiting(Recorder):
        async def __call__(self, batch: Sequence[Delivery]) -> None:
            await goes_on.wait()
            await super().__call__(batch)

    worker = a_worker(real_redis, keys, Waiting(), quick(prefetch=64, batch_size=10))
    async with running(worker):
        await until(lambda: worker.state.in_hand > 32)
        assert await pending(real_redis, keys, GROUP) <= 64
        goes_on.set()
        await until(lambda: worker.counts.handled == len(events))


async def test_what_takes_long_is_not_taken_over(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """Its worker says again and again that it is at work: nobody else gets the entry, however long it lay."""
    [entry_id] = await publish(real_redis, keys, [TapeFactory().baseline()])
    goes_on = asyncio.Event()

    class Slow(Recorder):
        async def __call__(self, batch: Sequence[Delivery]) -> None:
            await goes_on.wait()
            await super().__call__(batch)

    slow = a_worker(real_redis, keys, Slow(), quick("slow", min_idle_ms=1000))
    other = a_worker(real_redis, keys, recorder := Recorder(), quick("other", min_idle_ms=1000))
    async with running(slow):
        await until(lambda: slow.state.calls)
        async with running(other):
            await until(lambda: other.state.pending.get(keys.partition("HK.00700")) == 1)
            await asyncio.sleep(2.5)  # more than twice the time after which it would be abandoned
        goes_on.set()
        await until(lambda: slow.counts.handled == 1)
    assert recorder.batches == []
    assert other.counts.claimed == 0
    assert entry_id


async def test_names_of_workers_long_gone_are_forgotten(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """One that left in order at once; one that still holds something never."""
    await publish(real_redis, keys, [TapeFactory().baseline()])
    await taken_by(real_redis, keys, "dead")
    worker = a_worker(real_redis, keys, Recorder(), quick(min_idle_ms=60_000))
    async with running(worker):
        await until(lambda: worker.state.lags)
    consumers = await real_redis.xinfo_consumers(keys.tape_of("HK.00700"), GROUP)
    assert [one["name"] for one in consumers] == [b"dead"]


@pytest.mark.parametrize("ordered", [False, True], ids=["free", "ordered"])
@pytest.mark.parametrize("is_killed", [False, True], ids=["stopped", "killed"])
async def test_restarts_while_the_sink_is_away_bring_no_entry_nearer_to_its_end(
    real_redis: redis.asyncio.Redis, keys: Keys, ordered: bool, is_killed: bool
) -> None:
    """A supervisor may well restart what is unwell, again and again."""
    events = TapeFactory().day(5)
    await publish(real_redis, keys, events)
    for _ in range(12):
        worker = a_worker(real_redis, keys, Recorder(lambda _: SinkUnavailable("away")), quick(ordered=ordered))
        working = asyncio.create_task(worker.run(stop := asyncio.Event()))
        await until(lambda worker=worker: worker.counts.sink_waits > is_killed)  # type: ignore[misc]
        if is_killed:
            await end_tasks([working])
        else:
            stop.set()
            await working
    worker = a_worker(real_redis, keys, recorder := Recorder(), quick(ordered=ordered))
    async with running(worker):
        await until(lambda: worker.counts.handled == len(events))
    assert await dead_letters(real_redis, keys, GROUP) == []
    assert max(one.attempts for one in recorder.handled) <= 2


@pytest.mark.parametrize("ordered", [False, True], ids=["free", "ordered"])
async def test_an_acknowledgement_that_is_refused_for_a_while_is_made_later(
    client: redis.asyncio.Redis, ordered: bool
) -> None:
    """Redis takes no writes without a replica, say: the worker waits instead of ending."""
    keys, events = await create_tape(client), TapeFactory().day(3)
    await publish(client, keys, events)

    class Refusing(Recorder):
        async def __call__(self, batch: Sequence[Delivery]) -> None:
            if not self.batches:
                await client.config_set("min-replicas-to-write", 1)
            await super().__call__(batch)

    worker = a_worker(client, keys, Refusing(), quick(ordered=ordered))
    async with running(worker):
        await until(lambda: worker.counts.reconnects)
        await client.config_set("min-replicas-to-write", 0)
        await until(lambda: worker.counts.handled == len(events))
    assert await dead_letters(client, keys, GROUP) == []


async def test_a_failure_after_the_lease_is_held_against_nobody(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """The entry is the next owner's by then, who may be handling it."""
    await publish(real_redis, keys, [TapeFactory().baseline()])
    settings, counts, state = quick(ordered=True, max_attempts=1), WorkerCounts(), WorkerState()
    group = Group(real_redis, keys, TAPE.streams(keys, GROUP), GROUP, "w1")
    partition = keys.partition("HK.00700")
    await group.create(partition, "0-0")
    is_ours = True

    async def fail(_batch: Sequence[Delivery]) -> None:
        nonlocal is_ours
        is_ours = False
        raise RuntimeError("too late")

    settler = Settler(group, TAPE, fail, settings, counts, state, asyncio.Event())
    batch = await settler.examine(await group.read_new([partition], 1, 10))
    assert not await settler.settle(batch, lambda: is_ours)
    assert (counts.failed, counts.dead) == (0, 0)
    assert await pending(real_redis, keys, GROUP) == 1


async def test_a_sink_that_is_away_is_seen_inside_a_group_of_failures(
    real_redis: redis.asyncio.Redis, keys: Keys
) -> None:
    """A handler may well write in a TaskGroup."""
    await publish(real_redis, keys, TapeFactory().day(3))
    worker = a_worker(real_redis, keys, recorder := Recorder())
    recorder.fault = lambda _: (
        ExceptionGroup("writes", [SinkUnavailable("away")]) if len(recorder.batches) < 3 else None
    )
    async with running(worker):
        await until(lambda: worker.counts.handled == 4)
    assert (worker.counts.sink_waits, worker.counts.failed) == (2, 0)


async def test_a_handler_cancelled_from_inside_has_failed(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """A closed pool, say: it is held against the entry, and does not silence the worker."""
    await publish(real_redis, keys, TapeFactory().day(3))
    worker = a_worker(real_redis, keys, recorder := Recorder())

    def fault(batch: Sequence[Delivery]) -> None:
        if 2 in [one.event.data.seq for one in batch]:
            raise asyncio.CancelledError

    recorder.fault = fault
    async with running(worker):
        await until(lambda: worker.counts.handled == 3)
        await until(lambda: worker.counts.dead == 1)
    [dead] = await dead_letters(real_redis, keys, GROUP)
    assert dead[b"error"] == b"RuntimeError: something that the handler awaited was cancelled"


async def test_a_group_that_begins_at_the_end_of_the_tape_stays_there(
    real_redis: redis.asyncio.Redis, keys: Keys
) -> None:
    """Its position lies in no way beyond the tape: a restart brings nothing old."""
    await publish(real_redis, keys, days())
    later = "9999999999999-0"
    for _ in range(2):
        worker = a_worker(real_redis, keys, recorder := Recorder(), quick(since=later))
        async with running(worker):
            await until(lambda worker=worker: len(worker.state.lags) == keys.partitions)  # type: ignore[misc]
    assert recorder.ids == []
    assert worker.counts.rollbacks == 0


async def test_one_crash_buries_nobody_however_few_attempts_there_are(
    real_redis: redis.asyncio.Redis, keys: Keys
) -> None:
    """An entry that lay beside others when its worker died was never tried alone."""
    events = days()
    await publish(real_redis, keys, events)
    await taken_by(real_redis, keys, "dead", times=2)
    worker = a_worker(real_redis, keys, Recorder(), quick(max_attempts=1))
    async with running(worker):
        await until(lambda: worker.counts.handled == len(events))
    assert worker.counts.dead == 0


class Ghosts:
    """A way to a server on which only the client's side of all connections can be cut: the server's lives on."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._clients: list[asyncio.StreamWriter] = []
        self._ways: list[asyncio.Task[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._clients.append(writer)
        server_reader, server_writer = await asyncio.open_unix_connection(self._socket)
        for one, other in ((reader, server_writer), (server_reader, writer)):
            self._ways.append(asyncio.create_task(self._pass_on(one, other)))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            await asyncio.Event().wait()  # what is cut on one side is not noticed on the other
        except OSError:
            await asyncio.Event().wait()
        finally:
            writer.close()

    def cut(self) -> None:
        """As a box in between that forgets a connection."""
        for writer in self._clients:
            writer.transport.abort()

    async def end(self) -> None:
        """Close everything."""
        await end_tasks(self._ways)


@pytest.mark.parametrize("ordered", [False, True], ids=["free", "ordered"])
async def test_an_entry_given_to_a_connection_that_is_gone_is_delivered_again(
    redis_server: RedisServer, ordered: bool
) -> None:
    """The server still serves the read that was cut off; nobody else will ever claim what is put down to us."""
    ghosts, client = Ghosts(str(redis_server.socket)), connect(redis_server.url)
    keys, factory = await create_tape(client), TapeFactory()
    proxy = await asyncio.start_server(ghosts.serve, "127.0.0.1", 0)
    cut = connect(f"redis://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
    events = factory.day(2)
    await publish(client, keys, events[:1])
    patient = quick(ordered=ordered, block_ms=600, lease_s=5, min_idle_ms=1500, retry_first_s=0.3, retry_most_s=1.0)
    worker = a_worker(cut, keys, recorder := Recorder(), patient)
    async with running(worker):
        await until(lambda: worker.counts.handled == 1)
        ghosts.cut()
        await publish(client, keys, events[1:2])  # to the ghost
        await until(lambda: worker.counts.reconnects)
        await publish(client, keys, events[2:])
        await until(lambda: len(set(recorder.ids)) == len(events))
    told = list(dict.fromkeys(recorder.ids))  # an acknowledgement may have been lost with its connection, too
    assert sorted(told) == sorted(event.id for event in events)
    assert not ordered or told == [event.id for event in events]
    proxy.close()
    await ghosts.end()
    await cut.aclose()
    await client.aclose()
