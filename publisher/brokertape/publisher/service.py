"""The publisher: one loop that spends the budget, and slow ones that keep it informed.

Crash-only. The book in Redis is the only memory, so there is nothing to save on the way out and nothing to recover
on the way in: what the schedule has learnt is kept beside it, and can be learnt again. An error no loop knows how to
live with ends the process; whoever runs it starts it again.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from brokertape.gateway.errors import GatewayError, NotAdmitted
from brokertape.gateway.port import Gateway
from brokertape.gateway.values import GlobalState, MarketState
from brokertape.publisher.ability import Ability
from brokertape.publisher.budget import Budget, Slot
from brokertape.publisher.clock import Clock
from brokertape.publisher.complaints import Complaints
from brokertape.publisher.feed import Feed
from brokertape.publisher.leases import LEASE_S, Leases
from brokertape.publisher.poll import Failed, Outcome, Poller, Seen, Stale
from brokertape.publisher.retention import Trimmer
from brokertape.publisher.roster import HALTED, Roster
from brokertape.publisher.schedule import Schedule
from brokertape.publisher.schedule_store import ScheduleStore
from brokertape.publisher.volume_signal import News, VolumeSignal, VolumeSource
from brokertape.publisher.watch import WatchList
from brokertape.publisher.why import WhyStore, why_of
from brokertape.tape.errors import DecodeError, StoreError
from brokertape.tape.events import WatermarkEntry
from brokertape.tape.tasks import end_tasks

logger = logging.getLogger("brokertape.publisher")

MARKET = "HK"
FAILURES_SUSPENDED = 3  # so many failures in a row make a code's trouble known
FINAL_PAUSE_S = 600.0  # a code the gateway does not have is asked again this seldom
STORE_PAUSE_S = 1.0
TROUBLES = ("suspended", "refused")  # states of a code that it can recover from


@dataclass(frozen=True, slots=True)
class Intervals:
    """How often the slow loops look, in seconds.

    `unready_s` is for a gateway that is away or not logged in; `stop_s` bounds how long polls in flight are awaited
    at the end.
    """

    state_s: float = 2.0
    unready_s: float = 0.5
    watch_s: float = 1.0
    watermark_s: float = 5.0
    lease_s: float = LEASE_S / 3
    trim_s: float = 60.0
    sweep_s: float = 60.0
    why_s: float = 5.0
    save_s: float = 60.0
    stop_s: float = 6.0


class Publisher:
    """Polls what operators watch and live subscribers ask for, or its part of it, and keeps the tape.

    `run` works until `stop` is set. Everything it needs from outside comes in through the constructor; the budget of
    `schedule` is that of the gateway's account.
    """

    def __init__(
        self,
        *,
        name: str,
        gateway: Gateway,
        gateway_name: str,
        poller: Poller,
        budget: Budget,
        schedule: Schedule,
        schedule_store: ScheduleStore,
        why_store: WhyStore,
        watch: WatchList,
        leases: Leases,
        feed: Feed,
        trimmer: Trimmer,
        clock: Clock,
        signal: VolumeSignal,
        sources: Sequence[VolumeSource] = (),
        intervals: Intervals | None = None,
    ) -> None:
        self._name = name
        self._gateway = gateway
        self._gateway_name = gateway_name
        self._poller = poller
        self._budget = budget
        self._schedule = schedule
        self._schedule_store = schedule_store
        self._why_store = why_store
        self._polls_per_s = schedule.budget_per_s
        self._watch = watch
        self._leases = leases
        self._feed = feed
        self._trimmer = trimmer
        self._clock = clock
        self._sources = sources
        self._intervals = intervals or Intervals()
        self._is_ready = False
        self._news = asyncio.Event()
        self._polls: set[asyncio.Task[None]] = set()
        self._ability = Ability(LEASE_S)
        self._complaints = Complaints(logger)
        self._roster = Roster(
            watch=watch,
            leases=leases,
            publisher=name,
            polls_per_s=schedule.budget_per_s,
            budget=budget,
            schedule=schedule,
            poller=poller,
            feed=feed,
            clock=clock,
            complaints=self._complaints,
            signal=signal if sources else None,
        )
        self._halts: dict[str, bool] = {}
        self._signal = signal
        signal.on_news = self._hear

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop`; then let the polls in flight end, and say goodbye."""
        await self._feed.load({peer.publisher for peer in await self._leases.read()})
        await self._recall()
        await self._feed.status("publisher", self._name, "joined")
        try:
            async with asyncio.TaskGroup() as tasks:
                loops = [tasks.create_task(loop) for loop in self._loops(tasks)]
                try:
                    await stop.wait()
                finally:  # one that failed ends the others, even if a library swallows their first cancellation
                    await end_tasks(loops)
                await self._finish_polls()
            await self._save_at_end()
        finally:
            logger.info("what came of the polls: %s", self._poller.counts)
            await self._leave()

    def _loops(self, tasks: asyncio.TaskGroup) -> Iterator[Coroutine[Any, Any, None]]:
        every = self._intervals
        yield self._spend_budget(tasks)
        yield self._repeat("lease", lambda: every.lease_s, self._renew_lease)
        yield self._repeat("watch list", lambda: every.watch_s, self._look_at_watch_list)
        yield self._repeat(
            "gateway state", lambda: every.state_s if self._can_poll else every.unready_s, self._look_at_gateway
        )
        yield self._repeat("halted codes", lambda: every.watch_s, self._tell_halts)
        for source in self._sources:
            look = partial(self._look_at_volumes, source)
            yield self._repeat(source.name, partial(getattr, source, "interval_s"), look)
        yield self._repeat("watermark", lambda: every.watermark_s, self._send_watermark)
        yield self._repeat("why codes are asked", lambda: every.why_s, self._tell_why)
        yield self._repeat("what was learnt", lambda: every.save_s, self._save)
        yield self._repeat("retention", lambda: every.trim_s, self._trim)
        yield self._repeat("sweep of interest", lambda: every.sweep_s, self._sweep_interest)

    # --- the fast loop ------------------------------------------------------------------------------------------

    async def _spend_budget(self, tasks: asyncio.TaskGroup) -> None:
        """Take slot after slot while there is something to ask. The window bounds how many polls are in flight."""
        while True:
            can_poll = self._can_poll
            wait_s = self._schedule.next_due(self._clock.monotonic_s()) if can_poll else self._intervals.unready_s
            if wait_s > 0:
                await self._wait_for_news(wait_s)
                continue
            try:
                slot = await self._budget.acquire()
            except StoreError as error:
                self._complaints.complain("budget", error)
                await self._clock.sleep(STORE_PAUSE_S)
                continue
            self._complaints.content("budget")
            self._start_poll(tasks, slot)

    def _start_poll(self, tasks: asyncio.TaskGroup, slot: Slot) -> None:
        code = self._schedule.pick(self._clock.monotonic_s())
        if code is None:
            return  # what was due has gone meanwhile; the slot is left to run out
        poll = tasks.create_task(self._poll(code, slot))
        self._polls.add(poll)
        poll.add_done_callback(self._polls.discard)

    async def _poll(self, code: str, slot: Slot) -> None:
        try:
            outcome = await self._poller.poll(code, slot)
            await self._learn(code, outcome)
            self._complaints.content(f"poll of {code}")
        except (StoreError, DecodeError) as error:
            self._complaints.complain(f"poll of {code}", error)
            await self._clock.sleep(STORE_PAUSE_S)
            self._schedule.retry(code)
        finally:
            self._news.set()

    async def _learn(self, code: str, outcome: Outcome) -> None:
        now = self._clock.monotonic_s()
        match outcome:
            case Seen(changed_rows):
                self._ability.answered(True, now)
                self._schedule.result(code, now, changed_rows > 0, changed_rows)
                if self._feed.state_of("code", code) in TROUBLES and not self._schedule.is_halted(code):
                    await self._feed.status("code", code, "recovered")
            case Failed(reason, is_final):
                self._ability.answered(False, now)
                failures = self._schedule.failed(code, now, FINAL_PAUSE_S if is_final else None)
                if is_final or failures >= FAILURES_SUSPENDED:
                    await self._tell_trouble(code, "refused" if is_final else "suspended", reason)
            case Stale():
                self._schedule.failed(code, now)
            case _:
                self._schedule.retry(code)
                if self._budget.backoff.wait_s(now) > 0:
                    await self._feed.status("gateway", self._gateway_name, "refused", outcome.reason)

    async def _tell_trouble(self, code: str, state: str, reason: str) -> None:
        if self._feed.state_of("code", code) != state:
            logger.warning("%s %s: %s", code, state, reason)
            await self._feed.status("code", code, state, reason)

    @property
    def _can_poll(self) -> bool:
        return self._is_ready and self._gateway.is_connected

    async def _wait_for_news(self, wait_s: float) -> None:
        """Until a poll ends, the watch list or the gateway's state changes, or `wait_s` is over."""
        self._news.clear()
        try:
            async with asyncio.timeout(None if math.isinf(wait_s) else wait_s):
                await self._news.wait()
        except TimeoutError:
            return

    # --- the slow loops -----------------------------------------------------------------------------------------

    async def _repeat(self, name: str, interval_s: Callable[[], float], work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
                self._complaints.content(name)
            except (StoreError, GatewayError) as error:
                self._complaints.complain(name, error)
            await self._clock.sleep(interval_s())

    async def _look_at_gateway(self) -> None:
        """Login and market state: polling rests while the market does, and while nobody is logged in."""
        was_ready = self._can_poll
        try:
            state = await self._gateway.global_state()
        except GatewayError as error:
            self._is_ready = False
            kind = "refused" if isinstance(error, NotAdmitted) else "lost"
            await self._feed.status("gateway", self._gateway_name, kind, str(error))
            return
        self._is_ready = state.is_ready
        await self._feed.status("gateway", self._gateway_name, *_login(state))
        if state.is_ready:
            await self._follow_market(state.market_hk)
        if self._can_poll and not was_ready:
            await self._renew_lease()
            await self._look_at_watch_list()  # its part is known before the others have let go of it
            self._news.set()

    async def _follow_market(self, market: MarketState) -> None:
        name = _market_state(market)
        if name in ("lunch", "closed"):
            self._schedule.rest(self._clock.monotonic_s())
        else:
            self._schedule.wake(self._clock.monotonic_s())
        if self._feed.state_of("market", MARKET) != name:
            await self._feed.status("market", MARKET, name)
            self._news.set()

    async def _look_at_volumes(self, source: VolumeSource) -> None:
        if self._schedule.is_resting:
            self._signal.rest()
        elif self._can_poll:
            await source.look()

    def _hear(self, news: News) -> None:
        self._halts |= dict.fromkeys(news.halted, True) | dict.fromkeys(news.resumed, False)
        self._news.set()

    async def _tell_halts(self) -> None:
        while self._halts:
            code, is_halted = next(iter(self._halts.items()))
            if code not in self._schedule.codes:
                del self._halts[code]  # it is another publisher's by now
                continue
            if is_halted:
                await self._tell_trouble(code, "suspended", HALTED)
            else:
                await self._feed.status("code", code, "recovered")
            if self._halts.get(code) == is_halted:
                del self._halts[code]

    async def _look_at_watch_list(self) -> None:
        known = self._schedule.codes
        try:
            await self._roster.look()
        finally:
            if self._schedule.codes - known:
                self._news.set()

    async def _renew_lease(self) -> None:
        """Be known as alive, and whether codes are of any use to us."""
        can_poll = self._can_poll and not await self._must_wait()
        now = self._clock.monotonic_s()
        self._ability.looked(can_poll, now)
        await self._leases.renew(self._polls_per_s, can_poll=self._ability.is_able(now))

    async def _must_wait(self) -> bool:
        """Whether the budget is held, or, at the start, pauses: later on a lost window makes everybody pause alike."""
        if self._ability.has_begun:
            return self._budget.backoff.wait_s(self._clock.monotonic_s()) > 0
        return await self._budget.rest_s() > 0

    async def _send_watermark(self) -> None:
        seen = {code: self._poller.book(code) for code in sorted(self._schedule.codes)}
        await self._feed.watermark(
            {
                code: WatermarkEntry(
                    observed_at=book.observed_at, data_time=book.data_time, epoch=book.epoch, seq=book.seq
                )
                for code, book in seen.items()
                if book is not None
            }
        )

    async def _tell_why(self) -> None:
        now_s, now_ms = self._clock.monotonic_s(), self._clock.now_ms()
        await self._why_store.tell(why_of(self._schedule, publisher=self._name, now_s=now_s, now_ms=now_ms))

    async def _save(self) -> None:
        await self._schedule_store.save(self._schedule.learned(), self._clock.now_ms())

    async def _trim(self) -> None:
        await self._trimmer.trim(self._clock.now_ms())

    async def _sweep_interest(self) -> None:
        if swept := await self._watch.interest.sweep():
            logger.debug("%d expired members of the interest deleted", swept)

    # --- the begin and the end ----------------------------------------------------------------------------------

    async def _recall(self) -> None:
        try:
            self._schedule.recall(await self._schedule_store.load(self._clock.now_ms()))
        except StoreError as error:
            logger.warning("what the schedule had learnt is not known, it learns anew: %s", error)

    async def _save_at_end(self) -> None:
        try:
            await self._save()
        except StoreError as error:
            logger.warning("what the schedule has learnt is not saved: %s", error)

    async def _finish_polls(self) -> None:
        if self._polls:
            await asyncio.wait(self._polls, timeout=self._intervals.stop_s)
        await end_tasks(self._polls)

    async def _leave(self) -> None:
        try:
            if await self._leases.end():
                await self._feed.status("publisher", self._name, "left")
        except StoreError as error:
            logger.warning("could not say goodbye: %s", error)


def _login(state: GlobalState) -> tuple[str, str | None]:
    if state.is_ready:
        return "connected", None
    if not state.qot_logined:
        return "refused", "the gateway is not logged in to its quote server"
    return "refused", f"the gateway is not ready: {state.program_status_desc or f'status {state.program_status}'}"


def _market_state(market: MarketState) -> str:
    """A state this client does not know counts as open: asking in vain costs only budget."""
    match market:
        case MarketState.REST:
            return "lunch"
        case MarketState.CLOSED | MarketState.AUCTION | MarketState.WAITING_OPEN:
            return "closed"
        case _:
            return "open"
