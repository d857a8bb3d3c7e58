"""The fast loop: slot after slot of the budget, each spent on the code that is worth most."""

import asyncio
import math

from brokertape.publisher.budget import Budget, Slot
from brokertape.publisher.clock import Clock
from brokertape.publisher.complaints import Complaints
from brokertape.publisher.feed import TROUBLES, Feed
from brokertape.publisher.gateway_watch import GatewayWatch
from brokertape.publisher.poll import Failed, Outcome, Poller, Seen, Stale
from brokertape.publisher.presence import Presence
from brokertape.publisher.schedule import Schedule
from brokertape.tape.errors import DecodeError, StoreError
from brokertape.tape.tasks import end_tasks

FAILURES_SUSPENDED = 3  # so many failures in a row make a code's trouble known
FINAL_PAUSE_S = 600.0  # a code the gateway does not have is asked again this seldom
STORE_PAUSE_S = 1.0


class Polling:
    """Polls what the schedule picks, and tells it what came of it.

    Args:
        gateway: Whether it can be asked.
        budget: What is spent.
        schedule: On what.
        poller: Makes the polls.
        presence: Hears how the gateway answers.
        feed: Is told of codes in trouble.
        clock: The schedule's.
        complaints: Where troubles are logged.
    """

    def __init__(
        self,
        *,
        gateway: GatewayWatch,
        budget: Budget,
        schedule: Schedule,
        poller: Poller,
        presence: Presence,
        feed: Feed,
        clock: Clock,
        complaints: Complaints,
    ) -> None:
        self._gateway = gateway
        self._budget = budget
        self._schedule = schedule
        self._poller = poller
        self._presence = presence
        self._feed = feed
        self._clock = clock
        self._complaints = complaints
        self._news = asyncio.Event()
        self._polls: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Something has changed: a code may be due that was not."""
        self._news.set()

    async def spend(self, tasks: asyncio.TaskGroup, unready_s: float) -> None:
        """Take slot after slot while there is something to ask. The window bounds how many polls are in flight.

        Args:
            tasks: Where polls run.
            unready_s: How often to look while the gateway cannot be asked.
        """
        while True:
            wait_s = self._schedule.next_due(self._clock.monotonic_s()) if self._gateway.can_poll else unready_s
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

    async def finish(self, within_s: float) -> None:
        """Let the polls in flight end, or end them."""
        if self._polls:
            await asyncio.wait(self._polls, timeout=within_s)
        await end_tasks(self._polls)

    async def _wait_for_news(self, wait_s: float) -> None:
        """Until somebody calls `wake`, a poll ends, or `wait_s` is over."""
        self._news.clear()
        try:
            async with asyncio.timeout(None if math.isinf(wait_s) else wait_s):
                await self._news.wait()
        except TimeoutError:
            return

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
                self._presence.answered(is_good=True)
                self._schedule.result(code, now, changed_rows > 0, changed_rows)
                if self._feed.state_of("code", code) in TROUBLES and not self._schedule.is_halted(code):
                    await self._feed.status("code", code, "recovered")
            case Failed(reason, is_final):
                self._presence.answered(is_good=False)
                failures = self._schedule.failed(code, now, FINAL_PAUSE_S if is_final else None)
                if is_final or failures >= FAILURES_SUSPENDED:
                    await self._feed.trouble(code, "refused" if is_final else "suspended", reason)
            case Stale():
                self._schedule.failed(code, now)
            case _:
                self._schedule.retry(code)
                if self._budget.backoff.wait_s(now) > 0:
                    await self._gateway.refuses(outcome.reason)
