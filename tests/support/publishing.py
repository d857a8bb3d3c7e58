"""A publisher put together for a test: its parts in the open, its clock and gateway given."""

from dataclasses import dataclass

from brokertape.gateway.port import Gateway
from brokertape.publisher.account import Account
from brokertape.publisher.budget import Budget, BudgetStore, MemoryBudgetStore, RedisBudgetStore
from brokertape.publisher.clock import Clock
from brokertape.publisher.commit import BookStore
from brokertape.publisher.feed import Feed
from brokertape.publisher.leases import Leases
from brokertape.publisher.poll import Poller
from brokertape.publisher.retention import Retention, Trimmer
from brokertape.publisher.schedule import Schedule
from brokertape.publisher.schedule_store import ScheduleStore
from brokertape.publisher.service import Intervals, Publisher
from brokertape.publisher.snapshots import SNAPSHOT_LIMIT, SNAPSHOT_PACE, Snapshots
from brokertape.publisher.stores import Stores
from brokertape.publisher.volume_signal import VolumeSignal
from brokertape.publisher.watch import WatchList
from brokertape.publisher.why import WhyStore
from brokertape.publisher.window import Limit, Pace
from brokertape.tape.connection import RedisClient
from brokertape.tape.keys import Keys

KEYS = Keys()


@dataclass
class Bench:
    """A publisher and the parts a test looks at."""

    publisher: Publisher
    poller: Poller
    schedule: Schedule
    budget: Budget
    watch: WatchList
    leases: "MutableLeases"


class MutableLeases(Leases):
    """Leases that a test can silence, as if their process were gone."""

    is_mute = False

    def mute(self) -> None:
        """Say nothing any more."""
        self.is_mute = True

    async def renew(self, polls_per_s: float, *, can_poll: bool) -> None:
        """Unless it is silenced."""
        if not self.is_mute:
            await super().renew(polls_per_s, can_poll=can_poll)

    async def end(self) -> bool:
        """Unless it is silenced."""
        return not self.is_mute and await super().end()


def assemble(
    client: RedisClient,
    gateway: Gateway,
    clock: Clock,
    *,
    name: str = "p1",
    address: str = "test",
    limit: Limit = Limit(),  # noqa: B008 - frozen
    timeout_s: float = 5.0,
    intervals: Intervals | None = None,
    with_snapshots: bool = False,
    shares_window: bool = False,
) -> Bench:
    """A publisher whose budget is in memory, or a window in Redis that its account shares on a tape that existed.

    Market snapshots are of use only where volumes move with the lists.
    """
    pace = Pace(3, limit.window_s * 0.095)
    account = Account(client, KEYS, gateway, address=address)
    store: BudgetStore = MemoryBudgetStore(clock, limit, timeout_s)
    if shares_window:
        store = RedisBudgetStore(client, KEYS, account.polls_key, limit, timeout_s, tape_existed=True)
    budget = Budget(store, clock, limit, timeout_s, pace)
    poller = Poller(gateway, BookStore(client, KEYS), clock, source="/opend/test")
    schedule = Schedule(budget_per_s=limit.requests / limit.span_s())
    watch = WatchList(client, KEYS)
    leases = MutableLeases(client, KEYS, account, publisher=name)
    signal = VolumeSignal(schedule, clock)
    looks = Budget(
        MemoryBudgetStore(clock, SNAPSHOT_LIMIT, timeout_s), clock, SNAPSHOT_LIMIT, timeout_s, Pace(*SNAPSHOT_PACE)
    )
    publisher = Publisher(
        name=name,
        gateway=gateway,
        gateway_name="test",
        poller=poller,
        budget=budget,
        schedule=schedule,
        signal=signal,
        sources=[Snapshots(gateway, looks, signal, schedule, clock)] if with_snapshots else (),
        stores=Stores(
            watch=watch,
            leases=leases,
            feed=Feed(client, KEYS, clock, publisher=name, source="/opend/test"),
            learned=ScheduleStore(client, KEYS),
            why=WhyStore(client, KEYS),
            trimmer=Trimmer(client, KEYS, Retention()),
        ),
        clock=clock,
        intervals=intervals,
    )
    return Bench(publisher, poller, schedule, budget, watch, leases)
