"""The budget: the window in Redis and in memory, by the same tests; lanes; refusals."""

import asyncio
from collections.abc import Callable
from typing import Any

import fakeredis
import pytest
import redis.asyncio

from brokertape.gateway.errors import LinkLost, OverBudget, RequestTimeout
from brokertape.publisher.budget import BudgetStore, MemoryBudgetStore, RedisBudgetStore, Slot, SlotExpired
from brokertape.publisher.clock import SystemClock
from brokertape.publisher.lane import Lane
from brokertape.publisher.window import Limit
from brokertape.simulator.virtual_time import run_virtual
from brokertape.tape import Keys
from support.budget_load import spend, violations, virtual_budget
from support.fake_redis import fake_redis
from support.windows import fixed_window

QUICK = Limit(requests=3, window_s=1.0)  # a server that flushes every write to a busy disk is given that much
KEYS = Keys()
WINDOW = fixed_window(KEYS.budget("a"))
PAST = Lane(headroom=1, quiet_s=0.5)  # of QUICK: two in 1 s, 0.505 s apart
MakeStore = Callable[[float], BudgetStore]


@pytest.fixture(params=["memory", "redis"])
def make_store(request: pytest.FixtureRequest, any_redis: redis.asyncio.Redis) -> MakeStore:
    """A window of three in 1 s, whose unanswered requests count from a given timeout."""

    def make(timeout_s: float) -> BudgetStore:
        if request.param == "memory":
            return MemoryBudgetStore(SystemClock(), QUICK, timeout_s)
        return RedisBudgetStore(any_redis, KEYS, WINDOW, QUICK, timeout_s, tape_existed=False)

    return make


async def test_a_window_grants_its_slots_and_tells_the_wait(make_store: MakeStore) -> None:
    """Three at once, then the wait until the first has run out, and no slot taken by asking."""
    store = make_store(0.05)
    assert [await store.reserve(name, 0.0) for name in "abc"] == [0, 0, 0]
    for name in "abc":
        await store.settle(name)
    waits = [await store.reserve("d", 0.0) for _ in range(3)]
    assert all(0 < wait_s <= 1.011 for wait_s in waits)
    await asyncio.sleep(waits[-1] + 0.002)
    assert await store.reserve("d", 0.0) == 0


async def test_an_unanswered_slot_counts_from_its_timeout(make_store: MakeStore) -> None:
    """A crash leaves the high stamp, so it over-counts and never under-counts."""
    store = make_store(9.0)
    for name in "abc":
        await store.reserve(name, 0.0)
    assert await store.reserve("d", 0.0) > 9.0


async def test_a_wider_guard_waits_longer(make_store: MakeStore) -> None:
    """The guard is added to the window."""
    store = make_store(0.0)
    for name in "abc":
        await store.reserve(name, 0.0)
    assert await store.reserve("d", 2.0) > 2.0


async def test_past_days_leave_the_headroom(make_store: MakeStore) -> None:
    """With two of three slots taken they wait until only one is; live takes the third."""
    store = make_store(9.0)
    await store.reserve("a", 0.0, PAST)
    await asyncio.sleep(0.52)
    await store.reserve("b", 0.0, PAST)
    await asyncio.sleep(0.52)
    assert await store.reserve("c", 0.0, PAST) > 8
    assert await store.reserve("d", 0.0) == 0


async def test_past_days_leave_evenly_spread(make_store: MakeStore) -> None:
    """So their slots come back evenly too, and live that wakes up never waits for a whole window."""
    store = make_store(0.0)
    assert await store.reserve("a", 0.0, PAST) == 0
    assert 0.25 < await store.reserve("b", 0.0, PAST) <= 0.506


async def test_past_days_rest_while_live_has_work(make_store: MakeStore) -> None:
    """Told by two live requests in a row, also by ones that got no slot."""
    store = make_store(0.0)
    assert await store.reserve("a", 0.0) == 0
    assert await store.reserve("p", 0.0, PAST) == 0
    await asyncio.sleep(1.02)
    for name in "bcde":
        await store.reserve(name, 0.0)
    assert 0.25 < await store.reserve("q", 0.0, PAST) <= 0.5
    await asyncio.sleep(1.02)
    assert await store.reserve("q", 0.0, PAST) == 0


async def test_past_days_rest_while_a_refusal_holds_live(make_store: MakeStore) -> None:
    """The slots that come free meanwhile stay free; live itself is held by its own back-off."""
    store = make_store(0.0)
    await store.reserve("a", 0.0)
    await store.settle("a", 3.0)
    assert 2.5 < await store.reserve("p", 0.0, PAST) <= 3.0
    assert await store.reserve("b", 0.0) == 0


async def test_past_days_of_two_processes_share_one_pace(any_redis: redis.asyncio.Redis) -> None:
    """However many fill, live sees the same."""
    one, two = (RedisBudgetStore(any_redis, KEYS, WINDOW, QUICK, 0, tape_existed=False) for _ in range(2))
    assert await one.reserve("a", 0.0, PAST) == 0
    assert await two.reserve("b", 0.0, PAST) > 0


async def test_a_window_that_only_waits_is_not_lost(any_redis: redis.asyncio.Redis) -> None:
    """A past day that stands back takes nothing off the window, which emptied would look lost."""
    store = RedisBudgetStore(any_redis, KEYS, WINDOW, QUICK, 0.0, tape_existed=True)
    await store.reserve("a", 0.0)
    await asyncio.sleep(1.02)
    for name in "ab":
        await store.reserve(name, 0.0)
    await any_redis.zadd(KEYS.budget("a"), {"a": 1, "b": 1})
    assert await store.reserve("p", 0.0, PAST) > 0
    assert await store.reserve("c", 0.0) == 0
    assert not store.is_pausing


async def test_processes_of_one_account_share_the_window(any_redis: redis.asyncio.Redis) -> None:
    """Two stores on one key are one window; another account has its own."""
    one, two = (RedisBudgetStore(any_redis, KEYS, WINDOW, QUICK, 5, tape_existed=False) for _ in range(2))
    other = RedisBudgetStore(any_redis, KEYS, fixed_window(KEYS.budget("b")), QUICK, 5, tape_existed=False)
    assert [await store.reserve(str(number), 0.0) for number, store in enumerate((one, two, one))] == [0, 0, 0]
    assert await two.reserve("x", 0.0) > 0
    assert await other.reserve("x", 0.0) == 0


async def test_a_lost_window_pauses_once_for_one_window(
    any_redis: redis.asyncio.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Key gone while a tape exists: nobody knows what was sent, so all wait one window, and only once."""
    store = RedisBudgetStore(any_redis, KEYS, WINDOW, QUICK, 0.0, tape_existed=True)
    assert 0 < await store.reserve("a", 0.0) <= 1.01
    assert store.is_pausing
    assert 0 < await store.reserve("a", 0.0) <= 1.01
    await asyncio.sleep(1.02)
    assert await store.reserve("a", 0.0) == 0
    assert not store.is_pausing
    assert caplog.text.count("was lost") == 1
    await any_redis.delete(KEYS.budget("a"))
    assert await store.reserve("b", 0.0) > 0
    assert store.is_pausing


async def test_a_window_of_another_server_pauses_too() -> None:
    """After a restart of Redis the last stamps may be missing, as its configuration has it."""
    server: Any = fakeredis.FakeServer()
    client = fake_redis(server)
    store = RedisBudgetStore(client, KEYS, WINDOW, QUICK, 0.0, tape_existed=False)
    assert await store.reserve("a", 0.0) == 0
    server.run_id = "e" * 40
    assert await store.reserve("b", 0.0) > 0
    assert store.is_pausing
    await client.aclose()


async def test_a_brand_new_tape_does_not_pause(any_redis: redis.asyncio.Redis) -> None:
    """Nothing can have been sent before the tape existed."""
    assert await RedisBudgetStore(any_redis, KEYS, WINDOW, QUICK, 1, tape_existed=False).reserve("a", 0.0) == 0


@pytest.mark.parametrize(("jitter_s", "stalls"), [(0.0, 0.0), (0.02, 0.0), (0.1, 0.0), (0.1, 0.01)])
def test_the_budget_is_kept_and_used(jitter_s: float, stalls: float) -> None:
    """An hour of hunger at up to 100 ms of jitter each way: no violation, 99 % used."""
    received = run_virtual(spend(virtual_budget(), 3600, jitter_s, stalls))
    assert violations(received) == 0
    assert len(received) / 3600 >= 0.99


def test_a_budget_of_31_is_caught() -> None:
    """The check that finds no violation above finds one when the limit is wrong on purpose."""
    assert violations(run_virtual(spend(virtual_budget(Limit(requests=31)), 600, 0.02))) > 0


def test_a_refusal_holds_everything_and_a_lost_reply_gives_nothing_back() -> None:
    """An over-limit answer backs off 3 s; a request without an answer counts until its timeout and a window."""

    async def main() -> tuple[float, float]:
        loop, budget = asyncio.get_running_loop(), virtual_budget(Limit(requests=2, window_s=1.0), timeout_s=20.0)
        with pytest.raises(OverBudget):
            async with await budget.acquire():
                raise OverBudget(-1, "too often")
        with pytest.raises(LinkLost):
            async with await budget.acquire():
                raise LinkLost("gone")
        after_hold = loop.time()
        for _ in range(2):
            await budget.acquire()
        return after_hold, loop.time()

    after_hold, after_loss = run_virtual(main())
    assert after_hold == pytest.approx(3.0)
    assert after_loss > 3.0 + 20.0 + 1.0


def test_a_slot_that_was_slept_over_is_not_used() -> None:
    """A process frozen between reserving and sending would be counted after its stamp has run out."""

    async def main() -> None:
        slot = await virtual_budget(timeout_s=5.0).acquire()
        await asyncio.sleep(60)
        with pytest.raises(SlotExpired):
            async with slot:
                pytest.fail("sent")

    run_virtual(main())


def test_a_request_that_is_given_up_late_counts_from_then() -> None:
    """Sent as late as may be, its link is closed when the stamp has passed: till then the gateway may count it."""

    async def main() -> float:
        loop, budget = asyncio.get_running_loop(), virtual_budget(Limit(requests=1, window_s=1.0), timeout_s=5.0)

        async def send_late(slot: Slot) -> None:
            await asyncio.sleep(2.4)
            async with slot:
                await asyncio.sleep(5)
                raise RequestTimeout("no answer")

        with pytest.raises(RequestTimeout):
            await send_late(await budget.acquire())
        await budget.acquire()
        return loop.time()

    assert run_virtual(main()) > 2.4 + 5.0 + 1.0


async def test_a_clock_that_is_set_back_stops_nobody_for_long() -> None:
    """The stamps of an hour ahead count as made now, and a pause that ends then lasts for a window."""
    at_s = 1_778_227_221.0
    client = fake_redis(now_s=lambda: at_s)
    store = RedisBudgetStore(client, KEYS, WINDOW, QUICK, 2.0, tape_existed=False)
    assert [await store.reserve(name, 0.0) for name in "abc"] == [0, 0, 0]
    at_s -= 3600
    assert 0 < await store.reserve("d", 0.0) < 3.1
    at_s += 3.2
    assert await store.reserve("d", 0.0) == 0
    await client.delete(KEYS.budget("a"))
    assert 0 < await store.reserve("e", 0.0) < 1.1
    at_s -= 3600
    assert 0 < await store.reserve("e", 0.0) < 1.1
    await client.aclose()


async def test_what_a_refusal_teaches_is_kept_for_all_and_over_restarts(any_redis: redis.asyncio.Redis) -> None:
    """Every process of the account counts stamps for so much longer: 0.25 s a refusal, 2 s at most, for a week."""
    window = KEYS.budget("a")
    for refusals in (1, 2, *range(3, 12)):
        store = RedisBudgetStore(any_redis, KEYS, fixed_window(window), QUICK, 0.0, tape_existed=False)
        await store.settle("refused", hold_s=0.001)
        learnt_s = min(0.25 * refusals, 2.0)
        for own_s in (0.0, 0.1, learnt_s):
            await any_redis.zadd(window, dict.fromkeys("abc", await now_ms(any_redis)))
            assert QUICK.span_s(learnt_s) - 0.2 < await store.reserve("d", own_s) <= QUICK.span_s(learnt_s)
        assert await store.reserve("d", 3.0) > QUICK.span_s(2.9)
    [marker] = [key async for key in any_redis.scan_iter("*server")]
    await any_redis.hset(marker, "guard_at", await now_ms(any_redis) - 7 * 86_400_000)
    assert await store.reserve("d", 0.0) <= QUICK.span_s()


async def now_ms(client: redis.asyncio.Redis) -> int:
    """Redis' own clock."""
    seconds, micros = await client.time()
    return int(seconds) * 1000 + int(micros) // 1000


async def test_a_pause_is_told_without_a_slot(any_redis: redis.asyncio.Redis) -> None:
    """A window that was lost pauses everybody, once; whoever only asks whether it does takes nothing."""
    store = RedisBudgetStore(any_redis, KEYS, WINDOW, QUICK, 0.0, tape_existed=True)
    assert 0 < await store.pause_s() <= QUICK.span_s()
    assert 0 < await store.reserve("a", 0.0) <= QUICK.span_s()
    while (pause_s := await store.pause_s()) > 0:
        await asyncio.sleep(pause_s)
    assert not await any_redis.exists(KEYS.budget("a"))
    assert [await store.reserve(name, 0.0) for name in "abc"] == [0, 0, 0]
    assert await store.pause_s() == 0


async def test_of_a_new_tape_there_is_no_pause(any_redis: redis.asyncio.Redis) -> None:
    """Nothing can have been sent; and to have asked does not make one."""
    store = RedisBudgetStore(any_redis, KEYS, WINDOW, QUICK, 0.0, tape_existed=False)
    assert await store.pause_s() == 0
    assert await store.reserve("a", 0.0) == 0
