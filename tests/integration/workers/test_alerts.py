"""Alerting workers on real servers: killed, doubled, with a sink that fails, hangs, refuses and recovers."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from brokertape.cli.redis_server import RedisServer
from brokertape.tape.events import TapeEvent
from brokertape.tape.keys import Keys
from brokertape.workers.alert_keys import AlertKeys
from brokertape.workers.alerts.alerting import AlertCounts, alert
from brokertape.workers.alerts.figures import figures_of
from support import alert_process
from support.alerting import Judged
from support.forking import Process
from support.scripted_day import ScriptedDay
from support.tape_factory import create_tape, publish
from support.waiting import until
from support.webhook_receiver import SECRET, WebhookReceiver, receiving

pytestmark = pytest.mark.server

RULES = """
[groups]
pair = ["UBS", "HSBC"]
[[rule]]
name = "any"
when = "flow_known && flow.net_vol != 0"
[[rule]]
name = "cooling"
when = "flow_known && flow.net_vol > 0"
cooldown = "1m"
[[rule]]
name = "heavy"
when = "bought > 3000"
over = "2m"
[[rule]]
name = "pair"
brokers = ["@pair"]
together = ["brokers"]
when = "turned"
"""
ACROSS = """
[[rule]]
name = "broad"
together = ["codes"]
when = "codes_buying >= 3"
until = "codes_buying <= 2"
[[rule]]
name = "broad-pair"
brokers = ["@pair"]
together = ["brokers", "codes"]
over = "2m"
when = "net_value > 100000.0"
cooldown = "40s"
"""
HOOK = """
[[sink]]
name = "hook"
kind = "webhook"
url = "{url}"
secret_file = "{secret}"
timeout = 3
per_minute = 100000
"""
CODES = 6
BROKERS = ("UBS", "HSBC", "Citi")
LONGEST_BEGINNING_S = 1.0
LEASE_S = 3.0  # of a worker that nobody kills: a stall of the machine is not to cost it its leases


@dataclass
class Market:
    """Some codes, traded at random, and what an engine that never stops finds in them."""

    client: redis.asyncio.Redis
    keys: Keys
    rules: str = RULES
    days: list[ScriptedDay] = field(
        default_factory=lambda: [ScriptedDay(code=f"HK.{n:05}") for n in range(1, CODES + 1)]
    )
    expected: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._dice = random.Random(7)
        self._judged = Judged(self.rules)

    async def open(self) -> None:
        """The first lists, once somebody reads: a new group begins with what is there then."""
        for tape in self.keys.tapes():
            async with asyncio.timeout(30):
                while not await self.client.exists(tape) or not await self.client.xinfo_groups(tape):
                    await asyncio.sleep(0.005)
        await self._publish([day.baseline() for day in self.days])

    async def trade(self, polls: int) -> None:
        """So many polls of every code."""
        events: list[TapeEvent] = []
        for _ in range(polls):
            for day in self.days:
                for broker in self._dice.sample(BROKERS, 2):
                    day.trade(broker, buy=self._dice.randrange(1, 30) * 100, sell=self._dice.randrange(1, 30) * 100)
                events.append(day.poll())
        await self._publish(events)

    async def _publish(self, events: list[TapeEvent]) -> None:
        self.expected += [found.id for found in self._judged.take(*events)]
        await publish(self.client, self.keys, events)


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    """What the webhooks go to."""
    with receiving() as running:
        yield running


@pytest.fixture
def rules(tmp_path: Path, receiver: WebhookReceiver) -> Path:
    """The file of rules, with the receiver as its one sink."""
    (tmp_path / "secret").write_text(SECRET)
    path = tmp_path / "rules.toml"
    path.write_text(RULES + HOOK.format(url=receiver.url, secret=tmp_path / "secret"))
    return path


@pytest.fixture
async def market(client: redis.asyncio.Redis) -> Market:
    """A tape on which nothing has come yet."""
    return Market(client, await create_tape(client, partitions=4))


@pytest.fixture
async def one_partition(client: redis.asyncio.Redis, rules: Path) -> Market:
    """A tape of one partition, so that codes come in one order, and rules across codes besides."""
    altered(rules, now=ACROSS)
    return Market(client, await create_tape(client, partitions=1), RULES + ACROSS)


@asynccontextmanager
async def alerting(
    url: str, rules: Path, consumer: str = "w1", late_after_s: float = alert_process.NEVER_LATE_S
) -> AsyncIterator[AlertCounts]:
    """A worker inside the block, stopped in good order after it; its counts."""
    stop, counts = asyncio.Event(), AlertCounts()
    given = alert_process.settings(url, rules, consumer, late_after_s)
    given = replace(given, worker=replace(given.worker, lease_s=LEASE_S))
    task = asyncio.create_task(alert(given, stop, counts))
    try:
        yield counts
    finally:
        stop.set()
        await task


async def arrived(receiver: WebhookReceiver, market: Market, timeout_s: float = 60) -> None:
    """Every expected alert is there."""
    await until(lambda: set(receiver.accepted) >= set(market.expected), timeout_s)


def assert_exact(receiver: WebhookReceiver, market: Market) -> None:
    """What was expected came, nothing else did, and what came again was the same."""
    assert set(receiver.accepted) == set(market.expected)
    assert all(len(set(bodies)) == 1 for bodies in receiver.bodies.values())
    assert receiver.forged == 0


async def test_alerts_arrive_once_and_in_order(
    redis_server: RedisServer, receiver: WebhookReceiver, rules: Path, market: Market
) -> None:
    """Nothing goes wrong: each once, per code in the order in which it happened."""
    async with alerting(redis_server.url, rules) as counts:
        await market.open()
        await market.trade(10)
        await arrived(receiver, market)
    assert_exact(receiver, market)
    assert len(receiver.accepted) == len(market.expected) == counts.outlets["hook"].sent
    for day in market.days:
        assert [one for one in receiver.accepted if one.startswith(day.code)] == [
            one for one in market.expected if one.startswith(day.code)
        ]
    shown = {
        (one.name, *one.labels.values()): one.value for one in figures_of("alerts", counts.judging, counts.outlets)
    }
    assert shown["brokertape_alerts_alerts", "alerts"] == len(market.expected)
    assert shown["brokertape_alert_sink_sent", "alerts", "hook"] == len(market.expected)
    told = sum(shown["brokertape_alert_rule_fired", "alerts", rule] for rule in ("any", "cooling", "heavy", "pair"))
    assert told == len(market.expected)


async def test_a_sink_that_fails_hangs_and_recovers_gets_everything(
    redis_server: RedisServer, receiver: WebhookReceiver, rules: Path, market: Market
) -> None:
    """Repeats only of what it never confirmed. The tape is judged on meanwhile."""
    async with alerting(redis_server.url, rules) as counts:
        await market.open()
        receiver.mood = "failing"
        await market.trade(3)
        await until(lambda: receiver.bodies)
        receiver.mood = "hanging"
        await market.trade(3)
        await until(lambda: counts.judging.alerts == len(market.expected), 30)
        assert receiver.accepted == []
        receiver.recover()
        await arrived(receiver, market)
    assert_exact(receiver, market)
    assert len(receiver.accepted) == len(market.expected)


async def test_what_a_sink_refuses_is_buried_and_the_rest_arrives(
    redis_server: RedisServer, client: redis.asyncio.Redis, receiver: WebhookReceiver, rules: Path, market: Market
) -> None:
    """After so many attempts; the dead letter holds it and says why."""
    dead = AlertKeys(market.keys, "alerts").dead("alerts.hook")
    async with alerting(redis_server.url, rules):
        await market.open()
        receiver.mood = "failing"
        await market.trade(4)
        refused = market.expected[5]
        receiver.refused = frozenset({refused})
        receiver.recover()
        async with asyncio.timeout(60):
            while await client.xlen(dead) < 1 or not set(receiver.accepted) >= set(market.expected) - {refused}:
                await asyncio.sleep(0.01)
    entries: Any = await client.xrange(dead)
    [(_, letter)] = entries
    assert refused.encode() in letter[b"payload"]
    assert letter[b"error"] == b"Refused: sink hook: it answers 400"
    assert len(receiver.bodies[refused]) >= 3
    assert set(receiver.accepted) == set(market.expected) - {refused}


async def test_two_workers_are_one(
    redis_server: RedisServer, receiver: WebhookReceiver, rules: Path, market: Market
) -> None:
    """One judges and one stands by; when the one stops, the other goes on where it was."""
    async with alerting(redis_server.url, rules, "w2"):
        await market.open()
        async with alerting(redis_server.url, rules, "w1"):
            await market.trade(5)
            await arrived(receiver, market)
        await market.trade(5)
        await arrived(receiver, market)
    assert_exact(receiver, market)


def altered(rules: Path, *, was: str = "", now: str = "") -> None:
    """The file with something else in it."""
    rules.write_text(rules.read_text().replace(was, now) if was else rules.read_text() + now)


async def test_rules_are_read_again_and_a_fault_changes_nothing(
    redis_server: RedisServer,
    receiver: WebhookReceiver,
    rules: Path,
    market: Market,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without a restart."""
    caplog.set_level(logging.INFO, "brokertape.workers.alerts")
    async with alerting(redis_server.url, rules):
        await market.open()
        await market.trade(2)
        await arrived(receiver, market)
        altered(rules, was="bought > 3000", now="nonsense > 3000")
        await until(lambda: "the rules stay as they were" in caplog.text)
        await market.trade(2)
        await arrived(receiver, market)
        altered(rules, was="nonsense > 3000", now="bought > 3000")
        altered(rules, now='[[rule]]\nname = "new"\nwhen = "true"\n')
        await until(lambda: "5 rules from" in caplog.text)
        await market.trade(1)
        await until(lambda: any("/new/" in one for one in receiver.accepted))


async def test_old_news_is_one_message(
    redis_server: RedisServer, receiver: WebhookReceiver, rules: Path, market: Market
) -> None:
    """The day is long gone: a digest, and nothing besides."""
    async with alerting(redis_server.url, rules, late_after_s=60):
        await market.open()
        await market.trade(8)
        await until(lambda: receiver.accepted, 30)
    [digest] = receiver.events()
    assert digest["type"] == "brokertape.digest.v1"
    assert digest["data"]["reason"] == "late"
    assert len(digest["data"]["alerts"]) + digest["data"]["more"] == len(market.expected)


async def test_a_flushed_redis_is_followed_on(
    redis_server: RedisServer, client: redis.asyncio.Redis, receiver: WebhookReceiver, rules: Path, market: Market
) -> None:
    """What the rules remembered is gone with it; what comes after is judged."""
    async with alerting(redis_server.url, rules):
        await market.open()
        await market.trade(2)
        await arrived(receiver, market)
        await client.flushall()
        after = Market(client, await create_tape(client, partitions=4))
        await after.open()
        await after.trade(3)
        await arrived(receiver, after)


@contextmanager
def mortals(url: str, rules: Path, workers: int) -> Iterator[list[Process]]:
    """So many workers; whoever is killed in the list is to be replaced there."""
    processes = [alert_process.start(url, rules, f"w{number}") for number in range(workers)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


async def kill_rounds(url: str, receiver: WebhookReceiver, rules: Path, market: Market, rounds: int) -> None:
    """Trade, kill one of two workers at a random moment, start another in its place; the receiver has moods, too."""
    dice = random.Random(rounds)
    kills_at_work = 0
    with mortals(url, rules, 2) as processes:
        await market.open()
        for round_ in range(rounds):
            receiver.mood = dice.choice(["well", "well", "failing"])
            await market.trade(2)
            await moment_of_death(dice, receiver, market)
            victim = dice.randrange(2)
            processes[victim].kill()
            processes[victim].wait()
            kills_at_work += not set(receiver.accepted) >= set(market.expected)
            processes[victim] = alert_process.start(url, rules, f"x{round_}")
        receiver.recover()
        await arrived(receiver, market, 90)
        for process in processes:
            assert await asyncio.to_thread(alert_process.stop, process) == 0
    repeats = sum(len(bodies) for bodies in receiver.bodies.values()) - len(receiver.bodies)
    print(f"{rounds} kills, {kills_at_work} with alerts on their way, {len(market.expected)} alerts, {repeats} repeats")
    assert kills_at_work > 0, "no kill hit a worker at work"
    assert_exact(receiver, market)


async def moment_of_death(dice: random.Random, receiver: WebhookReceiver, market: Market) -> None:
    """A random one: while a worker begins, or while alerts are told, if they are."""
    if receiver.mood != "well" or dice.random() < 0.3:
        await asyncio.sleep(dice.random() * LONGEST_BEGINNING_S)
        return
    told = len(receiver.accepted)
    least = told + dice.random() * (len(market.expected) - told) * 0.9
    await until(lambda: len(receiver.accepted) >= least, 60)


async def test_no_kill_loses_or_invents_an_alert(
    redis_server: RedisServer, receiver: WebhookReceiver, rules: Path, market: Market
) -> None:
    """Twenty of them."""
    await kill_rounds(redis_server.url, receiver, rules, market, 20)


async def test_no_kill_upsets_a_rule_across_codes(
    redis_server: RedisServer, receiver: WebhookReceiver, rules: Path, one_partition: Market
) -> None:
    """What one code adds to a basket is written with what it leads to, or not at all."""
    await kill_rounds(redis_server.url, receiver, rules, one_partition, 10)
    for rule in ("broad", "broad-pair"):
        assert any(f"/{rule}/" in f"{one}/" for one in receiver.accepted)


@pytest.mark.soak
async def test_two_hundred_kills_lose_or_invent_no_alert(
    redis_server: RedisServer, receiver: WebhookReceiver, rules: Path, market: Market
) -> None:
    """Two hundred."""
    await kill_rounds(redis_server.url, receiver, rules, market, 200)


@pytest.mark.soak
async def test_two_hundred_kills_upset_no_rule_across_codes(
    redis_server: RedisServer, receiver: WebhookReceiver, rules: Path, one_partition: Market
) -> None:
    """Two hundred."""
    await kill_rounds(redis_server.url, receiver, rules, one_partition, 200)
