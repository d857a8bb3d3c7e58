"""Dead letters: found, looked at, given back, dropped."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from brokertape.cli.redis_server import RedisServer
from brokertape.tape.codec import encode_entry
from brokertape.tape.errors import InvalidPosition, StoreRefused
from brokertape.tape.events import HistoryEvent
from brokertape.tape.keys import Keys
from brokertape.workers import HISTORY, Delivery, MemoryPositions, Worker
from brokertape.workers.alert_keys import AlertKeys
from brokertape.workers.dead import DeadLetters, Fate, Letter, LetterId
from support.commands import run_command
from support.tape_factory import TapeFactory, create_tape, pending, publish
from support.waiting import until
from support.workers import GROUP, Recorder, a_worker, quick, running

pytestmark = pytest.mark.server


@pytest.fixture
async def keys(real_redis: redis.asyncio.Redis) -> Keys:
    """An empty tape."""
    return await create_tape(real_redis)


async def letters_of(client: redis.asyncio.Redis, keys: Keys) -> list[Letter]:
    """All letters of the group."""
    return [letter async for letter in DeadLetters(client, keys, GROUP).all()]


async def a_dead_letter(client: redis.asyncio.Redis, keys: Keys, factory: TapeFactory) -> Letter:
    """A baseline whose handler failed five times."""
    await publish(client, keys, [factory.baseline()])
    worker = a_worker(client, keys, Recorder(lambda _: RuntimeError("no disk")))
    async with running(worker):
        await until(lambda: worker.counts.dead == 1)
    [letter] = await letters_of(client, keys)
    return letter


async def test_a_letter_tells_what_happened(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """Entry, attempts, reason, worker, and the entry's own fields."""
    factory = TapeFactory()
    letter = await a_dead_letter(real_redis, keys, factory)
    assert letter.id.partition == keys.partition(factory.code)
    assert (letter.attempts, letter.error, letter.consumer) == (5, "RuntimeError: no disk", "w1")
    assert letter.fields["topic"] == "baseline.HK.00700"
    assert letter == await DeadLetters(real_redis, keys, GROUP).get(LetterId.of(str(letter.id)))


async def test_a_letter_given_back_is_handled_as_if_never_tried(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """Whatever worker of the group is there takes it, once."""
    factory = TapeFactory()
    letter = await a_dead_letter(real_redis, keys, factory)
    letters = DeadLetters(real_redis, keys, GROUP)
    assert await letters.retry(letter.id) is Fate.REVIVED
    assert await letters.retry(letter.id) is Fate.GONE
    worker = a_worker(real_redis, keys, recorder := Recorder(), quick("w2"))
    async with running(worker):
        await until(lambda: worker.counts.handled == 1)
    assert [(one.entry_id, one.attempts) for one in recorder.handled] == [(letter.entry_id, 1)]
    assert await letters.count() == 0
    assert await pending(real_redis, keys, GROUP) == 0


async def test_a_letter_whose_entry_is_trimmed_stays(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """There is nothing to hand over, and what the letter says is all that is left."""
    letter = await a_dead_letter(real_redis, keys, TapeFactory())
    await real_redis.xdel(keys.tape(letter.id.partition), letter.entry_id)
    letters = DeadLetters(real_redis, keys, GROUP)
    assert await letters.retry(letter.id) is Fate.TRIMMED
    assert await letters.count() == 1


async def test_a_letter_of_a_group_that_judges_stays(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """It would be acknowledged unseen: rules never go back."""
    letter = await a_dead_letter(real_redis, keys, TapeFactory())
    await real_redis.hset(AlertKeys(keys, GROUP).state, "point", "x")
    letters = DeadLetters(real_redis, keys, GROUP)
    assert await letters.retry(letter.id) is Fate.PASSED
    assert await letters.count() == 1


async def test_a_letter_without_its_group_stays(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """Nobody would take it."""
    letter = await a_dead_letter(real_redis, keys, TapeFactory())
    await real_redis.xgroup_destroy(keys.tape(letter.id.partition), GROUP)
    with pytest.raises(StoreRefused, match="start its worker"):
        await DeadLetters(real_redis, keys, GROUP).retry(letter.id)
    assert len(await letters_of(real_redis, keys)) == 1


async def test_a_dropped_letter_is_gone(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """For good."""
    letter = await a_dead_letter(real_redis, keys, TapeFactory())
    letters = DeadLetters(real_redis, keys, GROUP)
    assert await letters.drop(letter.id)
    assert not await letters.drop(letter.id)
    assert await letters.get(letter.id) is None


async def test_history_has_dead_letters_of_its_own(real_redis: redis.asyncio.Redis, keys: Keys) -> None:
    """A tape's event strayed onto the history stream: buried beside it, and named so."""

    async def nothing(_batch: Sequence[Delivery[HistoryEvent]]) -> None:
        """Never called."""

    await real_redis.xadd(keys.history, dict[Any, Any](encode_entry(TapeFactory().baseline())))
    worker = Worker(real_redis, keys, HISTORY, nothing, positions=MemoryPositions(), settings=quick())
    async with running(worker):
        await until(lambda: worker.counts.dead == 1)
    [letter] = await letters_of(real_redis, keys)
    assert str(letter.id).startswith("history/0/")
    assert letter.error == "brokertape.baseline.v1 does not belong on the history stream"
    assert LetterId.of(str(letter.id)) == letter.id


@pytest.mark.parametrize("text", ["", "5", "x/1-0", "5/1", "feed/0/1-0", "tape/0/1-0/2", "5/1-0/"])
def test_what_is_no_letter_is_said(text: str) -> None:
    """With a line that shows one."""
    with pytest.raises(InvalidPosition, match="brokertape dead list"):
        LetterId.of(text)


async def test_the_command_lists_shows_retries_and_drops(
    tmp_path: Path, shared_redis_server: RedisServer, real_redis: redis.asyncio.Redis, keys: Keys
) -> None:
    """As an operator uses it."""
    letter = await a_dead_letter(real_redis, keys, TapeFactory())
    at = ("--redis", shared_redis_server.url)
    listed = run_command("dead", "list", *at, cwd=tmp_path)
    assert listed.out.startswith(f"{GROUP}  {letter.id}  ")
    assert listed.out.endswith("  5 attempts  baseline.HK.00700  RuntimeError: no disk\n")
    shown = run_command("dead", "show", GROUP, str(letter.id), *at, cwd=tmp_path)
    assert '"payload": "{' in shown.out
    assert run_command("dead", "retry", GROUP, str(letter.id), *at).out == "1 of 1 given back to the group\n"
    again = run_command("dead", "drop", GROUP, str(letter.id), *at)
    assert (again.code, again.err) == (1, f"{letter.id} is not there\n")
    assert run_command("dead", "drop", GROUP, "--all", *at).out == "0 of 0 dropped\n"
    assert run_command("dead", "retry", GROUP, *at).complaint.endswith("or say --all")
