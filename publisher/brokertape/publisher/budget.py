"""The request budget: never more than 30 in any 30 s as the gateway receives them, and hardly ever less.

The window lives in Redis, so that processes sharing an account share it and a restart knows it; a copy of our own
requests on the monotonic clock guards against a Redis whose clock steps or whose memory is gone. The stricter of
the two decides.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Protocol, cast

from brokertape.gateway.errors import NotConnected, OverBudget, Refused
from brokertape.publisher.clock import Clock
from brokertape.publisher.lane import LIVE, Lane, Precedence
from brokertape.publisher.window import Backoff, Limit, Pace, RequestWindow
from brokertape.tape.connection import RedisClient, Script, store_errors
from brokertape.tape.errors import StoreUnavailable
from brokertape.tape.keys import Keys

logger = logging.getLogger("brokertape.publisher.budget")

LONGEST_SLEEP_S = 1.0  # slots of other processes may free earlier than they looked
SHORTEST_SLEEP_S = 0.001  # a wait shorter than the window's own rounding may never end


class BudgetStore(Protocol):
    """Where the window is kept."""

    async def reserve(self, request_id: str, guard_s: float, lane: Lane = LIVE) -> float:
        """Take a slot and return 0, or return how long to wait (s) and take none."""

    async def settle(self, request_id: str, hold_s: float = 0.0) -> None:
        """The reply to a reserved request came; after a refusal, all that can wait rests for `hold_s`."""

    async def pause_s(self) -> float:
        """For how long nobody is granted anything because the window was lost; else 0."""


class MemoryBudgetStore:
    """A window of this process alone, on its own clock."""

    def __init__(self, clock: Clock, limit: Limit, timeout_s: float) -> None:
        self._clock = clock
        self._limit = limit
        self._timeout_s = timeout_s
        self._window = RequestWindow(limit)
        self._precedence = Precedence()

    async def reserve(self, request_id: str, guard_s: float, lane: Lane = LIVE) -> float:
        """See BudgetStore."""
        now = self._clock.monotonic_s()
        if lane.is_live:
            self._precedence.live_asked(now)
        wait_s = self._precedence.wait_s(now, lane, self._limit)
        wait_s = wait_s or self._window.wait_s(now, guard_s, lane.headroom)
        if wait_s == 0:
            self._window.reserve(request_id, now, self._timeout_s)
            if not lane.is_live:
                self._precedence.behind_sent(now)
        return wait_s

    async def settle(self, request_id: str, hold_s: float = 0.0) -> None:
        """See BudgetStore."""
        now = self._clock.monotonic_s()
        self._window.settle(request_id, now)
        if hold_s > 0:
            self._precedence.held(now, hold_s)

    async def pause_s(self) -> float:
        """It is lost only with its process."""
        return 0.0


_GUARD_MS = round(Backoff.GUARD_STEP_S * 1000), round(Backoff.WIDEST_GUARD_S * 1000)
_BUDGET = Script(resources.files("brokertape.publisher").joinpath("budget.lua").read_text())


class RedisBudgetStore:
    """The window all processes of an account share, on Redis' clock. Raises StoreError.

    `window` tells its key, which is the account's. `tape_existed` says that the tape is older than this process, so
    that a missing window is a lost one.
    """

    def __init__(
        self,
        client: RedisClient,
        keys: Keys,
        window: Callable[[], Awaitable[str]],
        limit: Limit,
        timeout_s: float,
        *,
        tape_existed: bool,
    ) -> None:
        self._client = client
        self._keys = keys
        self._window = window
        self._limit = limit
        self._timeout_s = timeout_s
        self._tape_existed = tape_existed
        self.is_pausing = False

    async def reserve(self, request_id: str, guard_s: float, lane: Lane = LIVE) -> float:
        """See BudgetStore."""
        return await self._ask("reserve", request_id, guard_s, lane)

    async def pause_s(self) -> float:
        """See BudgetStore."""
        return await self._ask("pause", "", 0.0, LIVE)

    async def _ask(self, what: str, request_id: str, guard_s: float, lane: Lane) -> float:
        args = [
            lane.share_of(self._limit).requests,
            round(self._limit.span_s(guard_s) * 1000),
            round(self._timeout_s * 1000),
            int(self._tape_existed),
            round(lane.quiet_s * 1000),
            round(lane.spacing_s(self._limit) * 1000),
            round(guard_s * 1000),
        ]
        granted, wait_ms, pausing = await self._run(what, request_id, *args)
        if pausing and not self.is_pausing:
            logger.warning("the request window in Redis was lost: nothing is asked for %.0f s", wait_ms / 1000)
        self.is_pausing = bool(pausing)
        self._tape_existed = self._tape_existed or (what == "reserve" and bool(granted))
        return 0.0 if granted else wait_ms / 1000

    async def settle(self, request_id: str, hold_s: float = 0.0) -> None:
        """See BudgetStore."""
        await self._run("settle", request_id, round(hold_s * 1000), *_GUARD_MS)

    async def _run(self, *arguments: str | int) -> tuple[int, int, int]:
        window = await self._window()
        keys = [window, self._keys.private("server", slot_of=window)]
        with store_errors():
            return cast("tuple[int, int, int]", await _BUDGET.run(self._client, keys, list(arguments)))


class SlotExpired(Exception):
    """Raised instead of sending with a slot so old that the window may count it as over: a process that was frozen."""


class Slot:
    """Leave to send one request; used as a context manager around it.

    Leaving with a reply, a refusal included, stamps the slot now; so does a request that never left for want of a
    session. Without a reply nothing is given back: the slot counts as answered at its timeout, which is also what a
    crash leaves behind, or now if that is later.
    """

    def __init__(self, request_id: str, granted_at_s: float, budget: "Budget") -> None:
        self._request_id = request_id
        self._stamp_s = granted_at_s + budget.timeout_s
        # Half of the time to the stamp is left for the way to the gateway.
        self._use_by_s = granted_at_s + budget.timeout_s / 2
        self._budget = budget

    async def __aenter__(self) -> None:
        if self._budget.clock.monotonic_s() > self._use_by_s:
            raise SlotExpired("the slot was not used in time: this process must have stood still")

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        hold_s = 0.0
        if isinstance(error, OverBudget):
            hold_s = self._budget.backoff.refused(self._budget.clock.monotonic_s())
        is_late = self._budget.clock.monotonic_s() > self._stamp_s
        if is_late or error is None or isinstance(error, Refused | NotConnected):
            await self._budget.settle(self._request_id, hold_s)


class Budget:
    """Grants request slots of one lane, one at a time. A slow reply holds its own slot, never the next."""

    def __init__(
        self, store: BudgetStore, clock: Clock, limit: Limit, timeout_s: float, pace: Pace, lane: Lane = LIVE
    ) -> None:
        self.clock = clock
        self.timeout_s = timeout_s
        self.backoff = Backoff()
        self.granted = 0
        self._store = store
        self._pace = pace
        self._own = RequestWindow(lane.share_of(limit))
        self._lane = lane
        self._turn = asyncio.Lock()

    async def acquire(self) -> Slot:
        """Wait for a slot. Raises StoreError when the shared window cannot be asked."""
        async with self._turn:
            while not isinstance(granted := await self._try(), Slot):
                await self.clock.sleep(min(max(granted, SHORTEST_SLEEP_S), LONGEST_SLEEP_S))
            return granted

    def use_share(self, share: float) -> None:
        """So much of the account's requests are ours, others have the rest: the pace is so much slower."""
        self._pace.share = share

    async def rest_s(self) -> float:
        """For how long nothing can be asked: after a refusal, or because the shared window was lost.

        Raises StoreError when that cannot be told.
        """
        return max(self.backoff.wait_s(self.clock.monotonic_s()), await self._store.pause_s())

    async def settle(self, request_id: str, hold_s: float = 0.0) -> None:
        """The reply came. A Redis that cannot be told keeps the high stamp: that over-counts, which is safe."""
        self._own.settle(request_id, self.clock.monotonic_s())
        with contextlib.suppress(StoreUnavailable):
            await self._store.settle(request_id, hold_s)

    async def _try(self) -> Slot | float:
        """A slot, or how long to wait for one (s)."""
        now, guard_s = self.clock.monotonic_s(), self.backoff.guard_s
        wait_s = max(self.backoff.wait_s(now), self._pace.wait_s(now), self._own.wait_s(now, guard_s))
        if wait_s > 0:
            return wait_s
        request_id = uuid.uuid4().hex
        wait_s = await self._store.reserve(request_id, guard_s, self._lane)
        if wait_s > 0:
            return wait_s
        self._pace.sent(self.clock.monotonic_s())
        self._own.reserve(request_id, now, self.timeout_s)
        self.granted += 1
        return Slot(request_id, now, self)
