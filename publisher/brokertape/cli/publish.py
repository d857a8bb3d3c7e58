"""`brokertape publish`: the publisher, put together from settings."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import Callable, Sequence

from brokertape.cli.gateway_link import check_key, gateway_settings
from brokertape.cli.redis_link import open_redis
from brokertape.cli.settings import BudgetGroup, Settings
from brokertape.gateway.client import GatewayClient
from brokertape.gateway.errors import NotConnected
from brokertape.gateway.values import BasicQuote
from brokertape.publisher.account import Account
from brokertape.publisher.budget import Budget, RedisBudgetStore
from brokertape.publisher.clock import SystemClock
from brokertape.publisher.commit import BookStore
from brokertape.publisher.feed import Feed
from brokertape.publisher.lane import LIVE, Lane
from brokertape.publisher.leases import Leases
from brokertape.publisher.poll import Poller
from brokertape.publisher.pushed_quotes import PushedQuotes
from brokertape.publisher.retention import Retention, Trimmer
from brokertape.publisher.schedule import Schedule
from brokertape.publisher.schedule_store import ScheduleStore
from brokertape.publisher.service import Publisher
from brokertape.publisher.snapshots import SNAPSHOT_LIMIT, SNAPSHOT_PACE, Snapshots
from brokertape.publisher.stores import Stores
from brokertape.publisher.volume_signal import VolumeSignal, VolumeSource
from brokertape.publisher.watch import WatchList, open_tape
from brokertape.publisher.why import WhyStore
from brokertape.publisher.window import Limit, Pace
from brokertape.tape.connection import RedisClient, redact

logger = logging.getLogger("brokertape.cli.publish")

FIRST_LOOK_S = 2.0


async def publish(settings: Settings, stop: asyncio.Event) -> None:
    """Publish until `stop` is set. A gateway that is away is waited for.

    Raises:
        StoreError, TapeMismatch: Redis or the tape in it cannot be used.
        InvalidSettings, WrongKey: The gateway's settings cannot be meant, or its RSA key is another.
    """
    target = gateway_settings(settings.gateway)
    inbox = QuoteInbox()
    client = GatewayClient(target, on_quotes=inbox)
    async with open_redis(settings.redis) as redis:
        tape_existed = await open_tape(redis, settings.redis.keys)
        await check_key(target)
        watch = WatchList(redis, settings.redis.keys)
        for code in settings.publish.codes:
            await watch.add_missing(code)
        async with client as gateway:
            publisher = assemble(settings, redis, gateway, inbox, tape_existed=tape_existed)
            logger.info(
                "publishing from gateway %s to %s",
                settings.gateway.address,
                redact(settings.redis.url.get_secret_value()),
                extra={"publisher": settings.publish.publisher, "prefix": settings.redis.prefix},
            )
            with contextlib.suppress(NotConnected):  # a moment's patience: it is not lost before it was there
                await client.wait_connected(FIRST_LOOK_S)
            gc.freeze()  # what is loaded stays; looking through it again doubled the slowest polls
            await publisher.run(stop)
    logger.info("stopped")


class QuoteInbox:
    """Where a client puts pushed quotes: it is made before whoever takes them."""

    def __init__(self) -> None:
        self.take: Callable[[Sequence[BasicQuote]], None] = lambda _: None

    def __call__(self, quotes: Sequence[BasicQuote]) -> None:
        """These were pushed."""
        self.take(quotes)


def assemble(
    settings: Settings, redis: RedisClient, gateway: GatewayClient, inbox: QuoteInbox, *, tape_existed: bool
) -> Publisher:
    """The publisher of `settings` on open connections."""
    keys, clock = settings.redis.keys, SystemClock()
    address = settings.gateway.address
    source = f"/opend/{address}"
    schedule = Schedule(
        budget_per_s=settings.budget.limit / limit_of(settings.budget).span_s(),
        heartbeat_s=settings.publish.heartbeat_s,
    )
    signal = VolumeSignal(schedule, clock)
    account = account_of(settings, redis, gateway)
    sources: list[VolumeSource] = []
    if settings.publish.snapshots:
        looks = snapshot_budget_of(settings, redis, account, tape_existed=tape_existed)
        sources.append(Snapshots(gateway, looks, signal, schedule, clock))
    if settings.publish.pushed_quotes:
        pushed = PushedQuotes(gateway, signal, schedule, clock, settings.publish.pushed_quotes)
        inbox.take = pushed.take
        sources.append(pushed)
    return Publisher(
        name=settings.publish.publisher,
        gateway=gateway,
        gateway_name=address,
        poller=Poller(gateway, BookStore(redis, keys), clock, source=source),
        budget=budget_of(settings, redis, account, tape_existed=tape_existed),
        schedule=schedule,
        signal=signal,
        sources=sources,
        stores=Stores(
            watch=WatchList(redis, keys),
            leases=Leases(redis, keys, account, publisher=settings.publish.publisher),
            feed=Feed(redis, keys, clock, publisher=settings.publish.publisher, source=source),
            learned=ScheduleStore(redis, keys),
            why=WhyStore(redis, keys),
            trimmer=Trimmer(redis, keys, Retention(**settings.retention.model_dump())),
        ),
        clock=clock,
    )


def budget_of(
    settings: Settings, redis: RedisClient, account: Account, *, tape_existed: bool, lane: Lane = LIVE
) -> Budget:
    """The request budget that everybody on this account shares, for requests of `lane`."""
    keys, limit, timeout_s = settings.redis.keys, limit_of(settings.budget), settings.gateway.request_timeout_s
    store = RedisBudgetStore(redis, keys, account.polls_key, limit, timeout_s, tape_existed=tape_existed)
    pace = Pace(settings.budget.pace_requests, settings.budget.pace_window_s)
    return Budget(store, SystemClock(), limit, timeout_s, pace, lane)


def snapshot_budget_of(settings: Settings, redis: RedisClient, account: Account, *, tape_existed: bool) -> Budget:
    """That of market snapshots, which count apart."""
    keys, timeout_s = settings.redis.keys, settings.gateway.request_timeout_s
    store = RedisBudgetStore(redis, keys, account.snapshots_key, SNAPSHOT_LIMIT, timeout_s, tape_existed=tape_existed)
    return Budget(store, SystemClock(), SNAPSHOT_LIMIT, timeout_s, Pace(*SNAPSHOT_PACE))


def limit_of(settings: BudgetGroup) -> Limit:
    """The gateway's limit as set."""
    return Limit(settings.limit, settings.window_s, settings.margin_s)


def account_of(settings: Settings, redis: RedisClient, gateway: GatewayClient) -> Account:
    """Whose budget it is."""
    return Account(redis, settings.redis.keys, gateway, address=settings.gateway.address, name=settings.publish.account)
