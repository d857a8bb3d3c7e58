"""The publisher's loops, in virtual time, on a gateway and a Redis in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from brokertape.gateway.values import BrokerItem, BuySellType, MarketState, TopTenBrokers
from brokertape.publisher.leases import live_publishers
from brokertape.publisher.poll import Seen
from brokertape.publisher.roster import MOST_REFUSED_TOLD
from brokertape.publisher.schedule import Schedule
from brokertape.publisher.volume_signal import News
from brokertape.publisher.why import WhyStore
from brokertape.simulator.fixed_market import FixedMarket
from brokertape.simulator.in_memory import InMemoryGateway
from brokertape.simulator.instruments import HANG_SENG_INDEX, KNOWN, Instrument
from brokertape.simulator.rules import Limits
from brokertape.simulator.virtual_time import VirtualClock, run_virtual
from brokertape.tape import decode_entry
from brokertape.tape.connection import server_time_ms
from brokertape.tape.errors import StoreUnavailable
from brokertape.tape.meta import read_meta
from support.fake_redis import fake_redis
from support.publishing import KEYS, Bench, assemble

BEGIN_MS = 1_778_205_600_000  # 2026-05-08 10:00 in Hong Kong
CODES = [instrument.code for instrument in KNOWN[:3]]
Act = Callable[["Scene"], Awaitable[None]]


class Scene:
    """A publisher at work on three codes, and what a test may do to its world."""

    def __init__(self, **limits: Any) -> None:
        self.clock = VirtualClock(BEGIN_MS)
        self.market = FixedMarket((*KNOWN, HANG_SENG_INDEX))
        self.gateway = InMemoryGateway(self.market, self.clock.now_s, limits=Limits(**limits))
        self.client = fake_redis(now_s=self.clock.now_s)
        self.bench: Bench = assemble(self.client, self.gateway, self.clock)
        self.stop = asyncio.Event()

    def show(self, code: str, net_vol: int, data_time: int | None = None) -> None:
        """Show one buyer, by default as of now."""
        buyer = BrokerItem("UBS", BuySellType.NET_BUY, net_vol, 10.0, float(net_vol), net_vol * 10.0)
        self.market.show_table(TopTenBrokers(code, True, data_time or self.clock.now_ms() // 1000, (buyer,)))

    async def ask(self, member: str, *, is_live: bool) -> None:
        """Renew a subscriber's interest for ten minutes, or end it."""
        now = await server_time_ms(self.client, KEYS.interest)
        await self.client.zadd(KEYS.interest, {member: now + 600_000 * is_live})

    async def statuses(self, name: str) -> list[tuple[str, str | None]]:
        """State and reason of every status said of `name`."""
        entries: Any = await self.client.xrange(KEYS.feed)
        events = [decode_entry(fields) for _, fields in entries]
        return [(e.data.state, e.data.reason) for e in events if e.kind == "status" and e.data.name == name]  # type: ignore[union-attr]

    async def kinds(self, code: str) -> list[str]:
        """The kinds of the events of `code`."""
        entries: Any = await self.client.xrange(KEYS.tape_of(code))
        return [event.kind for event in (decode_entry(fields) for _, fields in entries) if event.subject == code]


def play(act: Act, **limits: Any) -> None:
    """Run `act` beside a publisher."""

    async def main() -> None:
        scene = Scene(**limits)
        for code in CODES:
            scene.show(code, 100)
            await scene.bench.watch.add_missing(code)
        publishing = asyncio.create_task(scene.bench.publisher.run(scene.stop))
        try:
            await act(scene)
        finally:
            scene.stop.set()
            await publishing
            await scene.client.aclose()

    run_virtual(main())


@asynccontextmanager
async def another_publisher(scene: Scene) -> AsyncIterator[Bench]:
    """A second one on the same tape, as on the day after: the first one ends."""
    scene.stop.set()
    while await live_publishers(scene.client, KEYS):
        await scene.clock.sleep(0.1)
    bench, stop = assemble(scene.client, scene.gateway, scene.clock, name="p2"), asyncio.Event()
    publishing = asyncio.create_task(bench.publisher.run(stop))
    yield bench
    stop.set()
    await publishing


def changes_per_h(schedule: Schedule, now: float) -> dict[str, float]:
    """What a schedule expects of every code."""
    return {view.code: view.changes_per_h for view in schedule.views(now)}


def test_a_change_is_told_and_an_equal_poll_is_not() -> None:
    """A baseline per code, then only what changed."""

    async def act(scene: Scene) -> None:
        await scene.clock.sleep(20)
        scene.show(CODES[0], 200)
        await scene.clock.sleep(20)
        assert await scene.kinds(CODES[0]) == ["baseline", "change"]
        assert await scene.kinds(CODES[1]) == ["baseline"]

    play(act)


def test_nobody_logged_in_means_no_polls() -> None:
    """The gateway's login is followed both ways, and no request is spent on one that cannot answer."""

    async def act(scene: Scene) -> None:
        await scene.clock.sleep(10)
        scene.gateway.misbehaviour.is_logged_in = False
        await scene.clock.sleep(5)
        asked = len(scene.gateway.answers)
        await scene.clock.sleep(600)
        assert len(scene.gateway.answers) == asked
        scene.gateway.misbehaviour.is_logged_in = True
        await scene.clock.sleep(10)
        assert len(scene.gateway.answers) > asked
        states = [state for state, _ in await scene.statuses("test")]
        assert states == ["connected", "refused", "connected"]

    play(act)


def test_a_lost_gateway_is_said_once_and_waited_for() -> None:
    """Lost and connected, whatever the outage lasts."""

    async def act(scene: Scene) -> None:
        await scene.clock.sleep(10)
        scene.gateway.disconnect()
        await scene.clock.sleep(600)
        scene.gateway.connect()
        await scene.clock.sleep(10)
        assert [state for state, _ in await scene.statuses("test")] == ["connected", "lost", "connected"]

    play(act)


@pytest.mark.one_python  # hours in virtual time
def test_a_code_without_a_table_is_refused_and_asked_seldom() -> None:
    """What the gateway does not have costs a request in ten minutes, and says so in its status."""

    async def act(scene: Scene) -> None:
        await scene.bench.watch.add_missing("HK.99999")
        await scene.clock.sleep(1800)
        ((state, reason),) = await scene.statuses("HK.99999")
        assert state == "refused"
        assert reason
        assert len([answer for answer in scene.gateway.answers if answer.code == "HK.99999"]) <= 4

    play(act)


def test_an_entry_of_the_watch_list_that_cannot_be_watched_is_said() -> None:
    """Another market's code and a nonsense weight, with the reason, and the others go on."""

    async def act(scene: Scene) -> None:
        await scene.client.hset(KEYS.watch, "US.AAPL", "{}")
        await scene.client.hset(KEYS.watch, "HK.00005", '{"weight": -1}')
        await scene.clock.sleep(10)
        for name in ("US.AAPL", "HK.00005"):
            ((state, reason),) = await scene.statuses(name)
            assert state == "refused"
            assert reason
        assert await scene.kinds(CODES[0]) == ["baseline"]

    play(act)


def test_a_code_is_polled_while_a_live_subscriber_asks_for_it() -> None:
    """From within a second or two of its asking until a second after its last expiry; operators' codes go on."""

    async def act(scene: Scene) -> None:
        scene.show("HK.00005", 100)
        await scene.ask("HK.00005|a", is_live=True)
        await scene.ask("HK.00005|b", is_live=True)
        await scene.clock.sleep(10)
        await scene.ask("HK.00005|a", is_live=False)
        await scene.clock.sleep(10)
        assert "HK.00005" in scene.bench.schedule.codes
        await scene.ask("HK.00005|b", is_live=False)
        await scene.clock.sleep(1.1)
        assert scene.bench.schedule.codes == set(CODES)
        assert await scene.kinds("HK.00005") == ["baseline"]

    play(act)


def test_interest_that_cannot_be_had_is_said_within_bounds() -> None:
    """A hundred names with their reasons, however many are asked for; polling goes on."""

    async def act(scene: Scene) -> None:
        await scene.ask("US.AAPL|a", is_live=True)
        await scene.clock.sleep(5)
        for number in range(500):
            await scene.ask(f"nonsense {number}|a", is_live=True)
        await scene.clock.sleep(60)
        ((state, reason),) = await scene.statuses("US.AAPL")
        assert (state, "only Hong Kong" in str(reason)) == ("refused", True)
        told: Any = await scene.client.hkeys(KEYS.status)
        assert len([name for name in told if name.startswith(b"code|nonsense")]) == MOST_REFUSED_TOLD - 1
        assert await scene.kinds(CODES[0]) == ["baseline"]

    play(act)


def test_a_code_that_had_trouble_recovers_when_it_is_wanted_again() -> None:
    """What was last said of it stays true to whoever reads the status later."""

    async def act(scene: Scene) -> None:
        await scene.ask("HK.99999|a", is_live=True)
        await scene.clock.sleep(10)
        await scene.ask("HK.99999|a", is_live=False)
        await scene.clock.sleep(10)
        scene.market._instruments["HK.99999"] = Instrument("HK.99999", "NEW", 100, 10_000)
        scene.show("HK.99999", 100)
        await scene.ask("HK.99999|a", is_live=True)
        await scene.clock.sleep(10)
        assert [state for state, _ in await scene.statuses("HK.99999")] == ["refused", "recovered"]

    play(act)


def test_expired_interest_is_swept() -> None:
    """By the publisher, each minute."""

    async def act(scene: Scene) -> None:
        await scene.client.zadd(KEYS.interest, {"HK.00700|a": 1})
        await scene.client.hset(KEYS.interest_want, "HK.00700|a", "{}")
        await scene.clock.sleep(61)
        assert not await scene.client.exists(KEYS.interest, KEYS.interest_want)

    play(act)


def test_somebody_elses_requests_make_it_back_off_and_say_so() -> None:
    """Refused although the own window has room: a hold, a wider guard, a status, and on it goes."""

    async def act(scene: Scene) -> None:
        await scene.clock.sleep(120)
        refused = [answer for answer in scene.gateway.answers if answer.reply.table is None]
        assert 1 <= len(refused) <= 15
        assert scene.bench.budget.backoff.guard_s > 0
        states = await scene.statuses("test")
        assert ("refused", refused[0].reply.ret_msg) in [
            (state, str(reason).split(" (")[0]) for state, reason in states
        ]
        assert states[-1][0] in ("connected", "refused")

    play(act, limit=10)


@pytest.mark.one_python  # hours in virtual time
def test_a_closed_market_is_swept_and_left_alone() -> None:
    """One more poll of every code at the close, a heartbeat each quarter of an hour, and full speed at the open."""

    async def act(scene: Scene) -> None:
        await scene.clock.sleep(30)
        scene.market.state = MarketState.CLOSED
        await scene.clock.sleep(10)
        asked = len(scene.gateway.answers)
        await scene.clock.sleep(3600)
        assert len(CODES) * 3 <= len(scene.gateway.answers) - asked <= len(CODES) * 5
        scene.market.state = MarketState.MORNING
        asked = len(scene.gateway.answers)
        await scene.clock.sleep(60)
        assert len(scene.gateway.answers) - asked >= 50
        assert [state for state, _ in await scene.statuses("HK")] == ["open", "closed", "open"]

    play(act)


def test_who_watches_is_known_while_it_lives() -> None:
    """A lease of ten seconds at most, joined and left."""

    async def act(scene: Scene) -> None:
        await scene.clock.sleep(100)
        leases: Any = await scene.client.zrange(KEYS.publishers, 0, -1, withscores=True)
        ((member, expiry_ms),) = leases
        assert member == b"test|p1"
        assert scene.clock.now_ms() < expiry_ms <= scene.clock.now_ms() + 10_000
        assert await scene.statuses("p1") == [("joined", None)]

    play(act)


def test_watermarks_tell_how_far_every_code_was_seen() -> None:
    """Every five seconds, unchanged or not."""

    async def act(scene: Scene) -> None:
        await scene.clock.sleep(60)
        entries: Any = await scene.client.xrange(KEYS.feed)
        marks = [event for event in (decode_entry(fields) for _, fields in entries) if event.kind == "watermark"]
        assert 11 <= len(marks) <= 13
        codes = marks[-1].data.codes  # type: ignore[union-attr]
        assert set(codes) == set(CODES)
        assert all(scene.clock.now_ms() - mark.observed_at < 10_000 for mark in codes.values())

    play(act)


def test_what_a_schedule_has_learnt_is_known_to_the_next_publisher() -> None:
    """From its first poll on; of a code that is asked for later as well."""

    async def act(scene: Scene) -> None:
        for volume in range(1, 20):
            scene.show(CODES[0], volume)
            await scene.clock.sleep(4)
        learnt = scene.bench.schedule.learned().codes
        await scene.bench.watch.remove(CODES[0])
        async with another_publisher(scene) as bench:
            await scene.clock.sleep(0.1)
            assert bench.schedule.codes == set(CODES[1:])
            await scene.bench.watch.add_missing(CODES[0])
            await scene.clock.sleep(1)
            expected = changes_per_h(bench.schedule, scene.clock.monotonic_s())
        assert learnt.keys() == set(CODES)
        assert expected[CODES[0]] > 2 * expected[CODES[1]]

    play(act)


def test_a_schedule_that_cannot_be_read_or_saved_is_lived_with() -> None:
    """The publisher learns anew, says it, and polls."""

    async def act(scene: Scene) -> None:
        await scene.client.set(KEYS.private("schedule"), "no hash")
        async with another_publisher(scene) as bench:
            await scene.clock.sleep(70)
            views = bench.schedule.views(scene.clock.monotonic_s())
            assert [view.code for view in views if view.age_s is None] == []
        assert await scene.kinds(CODES[0]) == ["baseline"]

    play(act)


def test_why_codes_are_asked_is_told_while_it_runs() -> None:
    """Every code with its reason, and the lag; half a minute after its end it is gone."""

    async def act(scene: Scene) -> None:
        await scene.clock.sleep(20)
        (why,) = await WhyStore(scene.client, KEYS).read(["p1", "p2"])
        assert (why.publisher, why.lag_s) == ("p1", 3.0)
        assert scene.clock.now_ms() - why.told_at <= 5_000
        assert {code.code for code in why.codes} == set(CODES)
        assert {code.reason for code in why.codes} <= {"first", "index", "cap", "idle"}
        assert 0 < await scene.client.ttl(KEYS.private("why:p1")) <= 30

    play(act)


def test_a_loop_that_breaks_ends_the_publisher_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody foresaw: it does not go on without that loop."""

    async def main() -> None:
        scene = Scene()
        monkeypatch.setattr(scene.bench.schedule, "add", lambda *_: 1 / 0)
        await scene.bench.watch.add_missing(CODES[0])
        with pytest.raises(ExceptionGroup) as caught:
            await scene.bench.publisher.run(asyncio.Event())
        assert {type(error) for error in caught.value.exceptions} == {ZeroDivisionError}
        await scene.client.aclose()

    run_virtual(main())


@pytest.mark.parametrize("lost_at_s", [60.1, 60.6, 61.1, 61.6, 62.1, 62.25, 62.6])
def test_a_short_loss_of_the_link_is_a_short_pause(lost_at_s: float) -> None:
    """Wherever it falls between two looks at the gateway's state."""

    async def act(scene: Scene) -> None:
        await scene.clock.sleep(lost_at_s)
        scene.gateway.disconnect()
        await scene.clock.sleep(1.7)
        scene.gateway.connect()
        await scene.clock.sleep(3)
        asked = len(scene.gateway.answers)
        await scene.clock.sleep(60)
        assert len(scene.gateway.answers) > asked + 50

    play(act)


def test_a_poll_of_a_halted_code_does_not_say_that_it_has_recovered() -> None:
    """One that was under way when it was suspended: it still does not trade."""

    async def act(scene: Scene) -> None:
        await scene.clock.sleep(10)
        publisher, schedule = scene.bench.publisher, scene.bench.schedule
        schedule.halt(CODES[0])
        publisher._hear(News(halted=[CODES[0]]))
        await scene.clock.sleep(3)
        await publisher._polling._learn(CODES[0], Seen(changed_rows=0))
        assert [state for state, _ in await scene.statuses(CODES[0])] == ["suspended"]
        schedule.halt(CODES[0], is_halted=False)
        await publisher._polling._learn(CODES[0], Seen(changed_rows=0))
        assert [state for state, _ in await scene.statuses(CODES[0])] == ["suspended", "recovered"]

    play(act)


def test_a_reply_older_than_the_book_teaches_nothing() -> None:
    """It is dropped, and the trade that the poll was sent for waits: the code is asked again in a moment."""

    async def act(scene: Scene) -> None:
        code, schedule = CODES[0], scene.bench.schedule
        await scene.clock.sleep(20)
        schedule.signal([code], scene.clock.monotonic_s())
        await scene.clock.sleep(10)
        scene.show(code, 200, data_time=scene.clock.now_ms() // 1000 - 3600)
        schedule.trade(code, scene.clock.monotonic_s())
        await scene.clock.sleep(5)
        view = next(view for view in schedule.views(scene.clock.monotonic_s()) if view.code == code)
        assert (view.failures, view.trades_waiting) == (1, 1)
        scene.show(code, 200)
        await scene.clock.sleep(5)
        assert await scene.kinds(code) == ["baseline", "change"]

    play(act)


def test_a_redis_that_was_emptied_gets_its_tape_back() -> None:
    """Whoever joins afterwards finds it, and is told how everything stands."""

    async def act(scene: Scene) -> None:
        await scene.clock.sleep(10)
        said: Any = await scene.client.hgetall(KEYS.status)
        await scene.client.flushall()
        await scene.clock.sleep(6)
        assert await read_meta(scene.client, KEYS.prefix) == KEYS
        stored: Any = await scene.client.hgetall(KEYS.status)
        assert stored == said

    play(act)


def test_a_node_that_is_away_holds_up_only_its_own_codes() -> None:
    """The others are polled; its own are taken once it is back."""

    async def act(scene: Scene) -> None:
        prepare, away = scene.bench.poller.prepare, True

        async def prepare_or_fail(code: str) -> None:
            if away and code == "HK.00941":
                raise StoreUnavailable("its node is away")
            await prepare(code)

        scene.bench.poller.prepare = prepare_or_fail  # type: ignore[method-assign]
        for code in ("HK.00941", "HK.03988"):
            await scene.bench.watch.add_missing(code)
        await scene.clock.sleep(5)
        assert "HK.03988" in scene.bench.schedule.codes
        assert "HK.00941" not in scene.bench.schedule.codes
        away = False
        await scene.clock.sleep(5)
        assert "HK.00941" in scene.bench.schedule.codes

    play(act)
