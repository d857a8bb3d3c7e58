"""Publishers with gateways of their own share the codes, in virtual time on a Redis in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import fakeredis
import pytest

from brokertape.gateway.values import BrokerItem, BuySellType, TopTenBrokers
from brokertape.publisher.leases import LEASE_S, live_publishers
from brokertape.publisher.watch import WatchList
from brokertape.simulator.fixed_market import FixedMarket
from brokertape.simulator.in_memory import InMemoryGateway
from brokertape.simulator.instruments import KNOWN, instruments_of
from brokertape.simulator.market import Quote
from brokertape.simulator.virtual_time import VirtualClock, run_virtual
from brokertape.tape import decode_entry
from brokertape.tape.want import Want
from support.fake_redis import fake_redis
from support.publishing import KEYS, Bench, assemble

BEGIN_MS = 1_778_205_600_000  # 2026-05-08 10:00 in Hong Kong
CODES = [instrument.code for instrument in KNOWN[:20]]
MANY = [f"HK.{number:05d}" for number in range(1, 61)]
SETTLED_S = 5.0
TAKEN_OVER_S = LEASE_S + 1.5  # the lease, the look that finds it gone, and the way
Act = Callable[["Desk"], Awaitable[None]]


@dataclass
class Post:
    """A publisher with its gateway."""

    name: str
    gateway: InMemoryGateway
    bench: Bench
    running: asyncio.Task[None]
    stop: asyncio.Event

    @property
    def codes(self) -> frozenset[str]:
        """What it polls."""
        return self.bench.schedule.codes

    async def leave(self) -> None:
        """End well."""
        self.stop.set()
        await self.running

    async def die(self) -> None:
        """End without a word."""
        self.bench.leases.mute()
        self.running.cancel()
        await asyncio.wait([self.running])


class Desk:
    """Publishers on one tape, each with a gateway of its own over one market."""

    def __init__(self, codes: Sequence[str]) -> None:
        self.clock = VirtualClock(BEGIN_MS)
        self.market = FixedMarket(instruments_of(codes))
        self.server = fakeredis.FakeServer()
        self.client = fake_redis(self.server, self.clock.now_s)
        self.posts: list[Post] = []

    async def open(self, name: str, user: int, *, with_snapshots: bool = False, shares_window: bool = False) -> Post:
        """Start a publisher on a new gateway that `user` is logged in to."""
        gateway = InMemoryGateway(self.market, self.clock.now_s, login_user_id=user)
        bench = assemble(
            self.client,
            gateway,
            self.clock,
            name=name,
            address=f"{name}:1",
            with_snapshots=with_snapshots,
            shares_window=shares_window,
        )
        stop = asyncio.Event()
        post = Post(name, gateway, bench, asyncio.create_task(bench.publisher.run(stop)), stop)
        self.posts.append(post)
        return post

    def show(self, code: str, net_vol: int) -> None:
        """Show one buyer."""
        buyer = BrokerItem("UBS", BuySellType.NET_BUY, net_vol, 10.0, float(net_vol), net_vol * 10.0)
        self.market.show_table(TopTenBrokers(code, True, self.clock.now_ms() // 1000, (buyer,)))

    def suspend(self, code: str, *, is_suspended: bool = True) -> None:
        """Its quote says that it does not trade, or that it does again."""
        quote = Quote(
            code, self.clock.now_s(), is_suspended, 9.9, 10.0, 10.1, 9.8, 10.0, 0.1, volume=1_000, turnover=1e4
        )
        self.market.show_quote(quote)

    async def events(self, code: str) -> list[Any]:
        """All of `code`, in order."""
        entries: Any = await self.client.xrange(KEYS.tape_of(code))
        return [event for event in (decode_entry(fields) for _, fields in entries) if event.subject == code]

    def longest_gap_s(self, code: str, since_s: float) -> float:
        """The longest time between two answers of any gateway for `code`, from a moment on and until now."""
        given = sorted(a.sent_ms / 1000 for post in self.posts for a in post.gateway.answers if a.code == code)
        moments = [since_s, *(at for at in given if at > since_s), self.clock.now_s()]
        return max(later - earlier for earlier, later in pairwise(moments))

    async def statuses(self, scope: str, name: str) -> list[str]:
        """Every state that was said of `name`."""
        entries: Any = await self.client.xrange(KEYS.feed)
        events: list[Any] = [decode_entry(fields) for _, fields in entries]
        return [e.data.state for e in events if e.kind == "status" and (e.data.scope, e.data.name) == (scope, name)]


def play(act: Act, codes: Sequence[str] = CODES) -> None:
    """Run `act`, with all codes watched."""

    async def main() -> None:
        desk = Desk(codes)
        for code in codes:
            desk.show(code, 100)
            await WatchList(desk.client, KEYS).add_missing(code)
        await act(desk)
        for post in desk.posts:
            if not post.running.done():
                await post.leave()
        await desk.client.aclose()

    run_virtual(main())


def test_two_share_the_codes_and_two_budgets_see_twice_as_much() -> None:
    """Each code is polled by one of them, ten each; a round takes half the time."""

    async def act(desk: Desk) -> None:
        one, two = [await desk.open(name, user) for user, name in enumerate(("one", "two"), 1)]
        await desk.clock.sleep(60)
        assert one.codes | two.codes == set(CODES)
        assert (len(one.codes), len(two.codes)) == (10, 10)
        since_s, asked = desk.clock.now_s(), [len(post.gateway.answers) for post in (one, two)]
        await desk.clock.sleep(120)
        for post, before in zip((one, two), asked, strict=True):
            answers = post.gateway.answers[before:]
            assert {answer.code for answer in answers} == post.codes
            assert len(answers) == pytest.approx(120, abs=3)
        assert max(desk.longest_gap_s(code, since_s) for code in CODES) < 22

    play(act)


def test_one_that_dies_loses_its_codes_within_its_lease() -> None:
    """To the others; it comes back, and no event is doubled or missing."""

    async def act(desk: Desk) -> None:
        one, two = [await desk.open(name, user) for user, name in enumerate(("one", "two"), 1)]
        await desk.clock.sleep(60)
        its = one.codes
        await one.die()
        await desk.clock.sleep(TAKEN_OVER_S)
        assert two.codes == set(CODES)
        for code in CODES:
            desk.show(code, 200)
        await desk.clock.sleep(60)
        again = await desk.open("one", 1)
        for code in CODES:
            desk.show(code, 300)
        await desk.clock.sleep(60)
        assert again.codes == its
        assert two.codes == set(CODES) - its
        for code in CODES:
            events = await desk.events(code)
            assert [event.kind for event in events] == ["baseline", "change", "change"]
            assert [event.data.seq for event in events] == [1, 2, 3]

    play(act)


def test_promises_are_kept_over_a_death() -> None:
    """But for the lease: pinned codes are asked again as soon as they are taken over."""

    async def act(desk: Desk) -> None:
        one, two = [await desk.open(name, user) for user, name in enumerate(("one", "two"), 1)]
        pinned = MANY[:6]
        for code in pinned:
            await one.bench.watch.add(code, Want(max_staleness_s=10.0))
        await desk.clock.sleep(120)
        assert [len(post.codes & set(pinned)) for post in (one, two)] == [3, 3]
        since_s = desk.clock.now_s()
        await one.die()
        await desk.clock.sleep(60)
        assert max(desk.longest_gap_s(code, since_s) for code in pinned) <= 10 + TAKEN_OVER_S
        await desk.open("one", 1)
        since_s = desk.clock.now_s()
        await desk.clock.sleep(60)
        assert max(desk.longest_gap_s(code, since_s) for code in pinned) <= 10 + 2
        assert max(desk.longest_gap_s(code, since_s) for code in MANY) > 20  # whose others are not promised

    play(act, MANY)


def test_one_that_leaves_hands_over_at_once() -> None:
    """The other has its codes with the next look."""

    async def act(desk: Desk) -> None:
        one, two = [await desk.open(name, user) for user, name in enumerate(("one", "two"), 1)]
        await desk.clock.sleep(SETTLED_S)
        await one.leave()
        await desk.clock.sleep(1.1)
        assert two.codes == set(CODES)

    play(act)


def test_a_gateway_that_is_gone_leaves_its_codes_to_others() -> None:
    """After as long as a lease; its publisher is alive all the while, and has its codes again with its gateway."""

    async def act(desk: Desk) -> None:
        one, two = [await desk.open(name, user) for user, name in enumerate(("one", "two"), 1)]
        await desk.clock.sleep(SETTLED_S)
        its = one.codes
        one.gateway.disconnect()
        await desk.clock.sleep(LEASE_S - 4)
        assert one.codes == its  # a short loss moves nothing
        await desk.clock.sleep(9)
        assert (one.codes, two.codes) == (frozenset(), frozenset(CODES))
        assert {peer.publisher: peer.can_poll for peer in await live_publishers(desk.client, KEYS)} == {
            "one": False,
            "two": True,
        }
        one.gateway.connect()
        await desk.clock.sleep(SETTLED_S)
        assert one.codes == its

    play(act)


def test_without_any_gateway_everybody_keeps_its_part() -> None:
    """There is nobody to hand it to, and what is known of it stays."""

    async def act(desk: Desk) -> None:
        posts = [await desk.open(name, user) for user, name in enumerate(("one", "two"), 1)]
        await desk.clock.sleep(SETTLED_S)
        parts = [post.codes for post in posts]
        for post in posts:
            post.gateway.disconnect()
        await desk.clock.sleep(60)
        assert [post.codes for post in posts] == parts

    play(act)


def test_two_on_one_account_share_its_budget() -> None:
    """Whichever address they have: one user is logged in, so there are thirty requests for both."""

    async def act(desk: Desk) -> None:
        posts = [await desk.open(name, user=7) for name in ("one", "two")]
        await desk.clock.sleep(SETTLED_S)
        peers = await live_publishers(desk.client, KEYS)
        assert {peer.account for peer in peers} == {"one:1"}
        assert [post.bench.schedule.budget_per_s for post in posts] == [pytest.approx(0.5, rel=1e-3)] * 2
        await posts[0].leave()
        await desk.clock.sleep(1.1)
        assert posts[1].bench.schedule.budget_per_s == pytest.approx(1.0, rel=1e-3)

    play(act)


def test_a_code_that_moves_is_no_new_one() -> None:
    """It is asked when its age says so: those that the other has seen a moment ago do not go before all others."""

    async def act(desk: Desk) -> None:
        one, two = [await desk.open(name, user) for user, name in enumerate(("one", "two"), 1)]
        await desk.clock.sleep(60)
        await one.leave()
        await desk.clock.sleep(1.1)
        ages_s = {view.code: view.age_s for view in two.bench.schedule.views(desk.clock.monotonic_s())}
        assert all(age_s is not None and age_s < 25 for age_s in ages_s.values())

    play(act)


def test_a_code_in_trouble_recovers_with_another_publisher() -> None:
    """Who takes it over knows what was said of it, and takes it back."""

    async def act(desk: Desk) -> None:
        one, two = [await desk.open(name, user) for user, name in enumerate(("one", "two"), 1)]
        await desk.clock.sleep(SETTLED_S)
        code = min(one.codes)
        one.gateway.misbehaviour.fail_code(code, "cannot be had here")
        await desk.clock.sleep(120)
        assert await desk.statuses("code", code) == ["suspended"]
        await one.leave()
        await desk.clock.sleep(60)
        assert await desk.statuses("code", code) == ["suspended", "recovered"]
        assert two.codes == set(CODES)

    play(act)


def test_a_lease_of_somebody_else_counts() -> None:
    """Whoever keeps to the contract has its part, although it says nothing more of itself, until its lease is out."""

    async def act(desk: Desk) -> None:
        one = await desk.open("one", 1)
        await desk.clock.sleep(SETTLED_S)
        await desk.client.zadd(KEYS.publishers, {"other:1|foreign": desk.clock.now_ms() + 10_000})
        await desk.clock.sleep(1.1)
        assert len(one.codes) in (9, 10, 11)
        await desk.clock.sleep(10)
        assert one.codes == set(CODES)

    play(act)


def test_what_is_no_code_is_refused_by_one_of_them() -> None:
    """The feed says it once."""

    async def act(desk: Desk) -> None:
        for user, name in enumerate(("one", "two"), 1):
            await desk.open(name, user)
        await desk.clock.sleep(SETTLED_S)
        await desk.client.hset(KEYS.watch, "US.AAPL", "{}")
        await desk.clock.sleep(SETTLED_S)
        assert await desk.statuses("code", "US.AAPL") == ["refused"]

    play(act)


def test_a_budget_that_is_held_leaves_its_codes_to_others() -> None:
    """Somebody else uses the account: for half a minute nothing can be asked there, and the others ask meanwhile."""

    async def act(desk: Desk) -> None:
        one, two = [await desk.open(name, user) for user, name in enumerate(("one", "two"), 1)]
        await desk.clock.sleep(SETTLED_S)
        its = one.codes
        for _ in range(5):
            one.bench.budget.backoff.refused(desk.clock.monotonic_s())
        await desk.clock.sleep(LEASE_S + 5)
        assert (one.codes, two.codes) == (frozenset(), frozenset(CODES))
        await desk.clock.sleep(30)
        assert one.codes == its

    play(act)


@pytest.mark.parametrize("what", ["a foreign key", "a damaged book"])
def test_a_code_whose_book_cannot_be_used_stops_no_others(what: str) -> None:
    """It is told, and polled once its book can be; whoever has it polls all the rest."""

    async def act(desk: Desk) -> None:
        code = CODES[7]
        if what == "a foreign key":
            await desk.client.set(KEYS.book(code), "no hash")
        else:
            await desk.client.hset(KEYS.book(code), "epoch", "nonsense")
        posts = [await desk.open(name, user) for user, name in enumerate(("one", "two"), 1)]
        await desk.clock.sleep(60)
        assert [post.running.done() for post in posts] == [False, False]
        assert posts[0].codes | posts[1].codes == set(CODES) - {code}
        assert {answer.code for post in posts for answer in post.gateway.answers} == set(CODES) - {code}
        assert await desk.statuses("code", code) == ["suspended"]
        await desk.client.delete(KEYS.book(code))
        await desk.clock.sleep(30)
        assert [event.kind for event in await desk.events(code)] == ["baseline"]
        assert await desk.statuses("code", code) == ["suspended", "recovered"]

    play(act)


def test_a_halted_code_stays_halted_when_it_moves() -> None:
    """Nothing is said of it, and no poll is spent; it recovers when it trades again, with whomever it is."""

    async def act(desk: Desk) -> None:
        one, two = [await desk.open(name, user, with_snapshots=True) for user, name in enumerate(("one", "two"), 1)]
        await desk.clock.sleep(30)
        code = min(one.codes)
        desk.suspend(code)
        await desk.clock.sleep(30)
        assert await desk.statuses("code", code) == ["suspended"]
        asked = len(two.gateway.answers)
        await one.leave()
        await desk.clock.sleep(60)
        assert two.codes == set(CODES)
        assert await desk.statuses("code", code) == ["suspended"]
        assert code not in {answer.code for answer in two.gateway.answers[asked:]}
        desk.suspend(code, is_suspended=False)
        await desk.clock.sleep(10)
        assert await desk.statuses("code", code) == ["suspended", "recovered"]

    play(act)


def test_a_halt_that_nobody_confirms_is_not_believed_for_long() -> None:
    """Who takes the code over may have no rights to volumes: it is polled as any other."""

    async def act(desk: Desk) -> None:
        one = await desk.open("one", 1, with_snapshots=True)
        await desk.clock.sleep(30)
        desk.suspend(CODES[0])
        await desk.clock.sleep(30)
        await one.leave()
        two = await desk.open("two", 2, with_snapshots=True)
        two.gateway.rules.snapshot_codes = 0
        await desk.clock.sleep(120)
        assert CODES[0] in {answer.code for answer in two.gateway.answers}

    play(act)


def test_a_gateway_that_answers_with_failures_alone_leaves_its_codes_to_others() -> None:
    """Its account has lost its rights: the other one has all codes, and they recover there."""

    async def act(desk: Desk) -> None:
        one, two = [await desk.open(name, user) for user, name in enumerate(("one", "two"), 1)]
        await desk.clock.sleep(60)
        for code in CODES:
            one.gateway.misbehaviour.fail_code(code, "no rights to broker lists")
        await desk.clock.sleep(120)
        assert (one.codes, two.codes) == (frozenset(), frozenset(CODES))
        suspended = [code for code in CODES if "suspended" in await desk.statuses("code", code)]
        for code in suspended:
            assert (await desk.statuses("code", code))[-1] == "recovered"

    play(act)


def test_of_two_with_one_name_the_one_that_ends_says_nothing() -> None:
    """The other one is as alive as before: it keeps all codes."""

    async def act(desk: Desk) -> None:
        one, two = [await desk.open("twin", 1) for _ in range(2)]
        await desk.clock.sleep(30)
        assert one.codes == two.codes == set(CODES)
        await one.leave()
        await desk.clock.sleep(20)
        assert two.codes == set(CODES)
        assert await desk.statuses("publisher", "twin") == ["joined", "joined"]

    play(act)


def test_a_new_account_takes_its_part_once_it_may_ask() -> None:
    """What was asked there before nobody knows, so nothing is for 30 s: until then the others poll its codes."""

    async def act(desk: Desk) -> None:
        one = await desk.open("one", 1, shares_window=True)
        await desk.clock.sleep(60)
        two = await desk.open("two", 2, shares_window=True)
        since_s = desk.clock.now_s()
        await desk.clock.sleep(29)
        assert (one.codes, two.codes) == (frozenset(CODES), frozenset())
        await desk.clock.sleep(SETTLED_S)
        assert (len(one.codes), len(two.codes)) == (10, 10)
        assert max(desk.longest_gap_s(code, since_s) for code in CODES) < 25

    play(act)


def test_a_pause_of_all_moves_nothing() -> None:
    """A Redis that was restarted makes every account pause: nobody could do for the others what they cannot."""

    async def act(desk: Desk) -> None:
        one = await desk.open("one", 1, shares_window=True)
        await desk.clock.sleep(1.7)  # not in step
        two = await desk.open("two", 2, shares_window=True)
        await desk.clock.sleep(60)
        parts, seen = (one.codes, two.codes), set()
        setattr(desk.server, "run_id", "a" * 40)  # noqa: B010 - mypy knows no such attribute
        for _ in range(450):
            await desk.clock.sleep(0.1)
            seen.add((one.codes, two.codes))
        assert seen == {parts}
        await desk.clock.sleep(30)
        assert all(len(events) == 2 for events in [await desk.events(code) for code in CODES])

    play(act)


def test_two_on_one_account_spend_one_window_evenly() -> None:
    """Thirty in thirty seconds together, no two bursts of both and then a long silence."""

    async def act(desk: Desk) -> None:
        posts = [await desk.open(name, 7, shares_window=True) for name in ("one", "two")]
        await desk.clock.sleep(120)
        since_s = desk.clock.now_s()
        await desk.clock.sleep(300)
        sent = sorted(a.sent_ms / 1000 - since_s for post in posts for a in post.gateway.answers)
        sent = [at for at in sent if at > 0]
        assert 297 <= len(sent) <= 302
        assert all(later - earlier > 30 for earlier, later in zip(sent, sent[30:], strict=False))
        assert max(later - earlier for earlier, later in pairwise(sent)) < 5

    play(act)
