"""Which codes this publisher polls: what is wanted, divided among all publishers that are alive."""

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence

from brokertape.publisher.budget import Budget
from brokertape.publisher.clock import Clock
from brokertape.publisher.complaints import Complaints
from brokertape.publisher.division import Division
from brokertape.publisher.halts import HALTED
from brokertape.publisher.interest import MOST_MEMBERS
from brokertape.publisher.poll import Poller
from brokertape.publisher.schedule import Schedule
from brokertape.publisher.stores import Stores
from brokertape.publisher.volume_signal import VolumeSignal
from brokertape.publisher.watch import Wanted
from brokertape.tape.errors import DecodeError, StoreRefused, StoreUnavailable
from brokertape.tape.market_time import trading_date_of
from brokertape.tape.want import Want

logger = logging.getLogger("brokertape.publisher.roster")

MOST_REFUSED_TOLD = 100  # names asked for by subscribers that are no codes: a flood of them is not repeated on the feed
MOST_NAMED = 10  # codes of one line of the log
HALT_BELIEVED_S = 15.0  # of a code that another publisher called halted, until our own look at volumes
SEEN_LATELY_MS = 300_000  # a code that was polled so lately is taken over with its age; else it is a new one


class Roster:
    """Keeps the schedule's codes what they should be.

    Args:
        name: Who we are among the publishers.
        budget: What they are polled from. Its account has room for what `schedule` begins with.
        schedule: Whose codes.
        poller: Reads the books of codes that are new.
        stores: What is wanted, who is alive, and who is told what cannot be polled.
        clock: The schedule's.
        complaints: Where troubles are logged.
        signal: Who hears when a halted code trades again; None if nobody does.
    """

    def __init__(
        self,
        *,
        name: str,
        budget: Budget,
        schedule: Schedule,
        poller: Poller,
        stores: Stores,
        clock: Clock,
        complaints: Complaints,
        signal: VolumeSignal | None,
    ) -> None:
        self._division = Division(name)
        self._budget = budget
        self._polls_per_s = schedule.budget_per_s
        self._schedule = schedule
        self._poller = poller
        self._stores = stores
        self._clock = clock
        self._complaints = complaints
        self._signal = signal
        self._refused_told: set[str] = set()
        self._turn = asyncio.Lock()

    async def look(self) -> None:
        """Let go of what is not ours any more, and take what is. Raises StoreError."""
        async with self._turn:
            await self._look()

    async def _look(self) -> None:
        wanted = await self._stores.watch.wanted()
        ours = self._division.part(wanted.wants, await self._stores.leases.read())
        await self._tell_refused(wanted)
        self._let_go(sorted(self._schedule.codes - ours.keys()))
        away = await self._take_all({code: want for code, want in ours.items() if code not in self._schedule.codes})
        self._use(self._division.polls_per_s(self._polls_per_s))
        self._promise(ours)
        self._complaints.warn(
            "interest", wanted.asked.is_cut, f"of the interest only {MOST_MEMBERS} members are read: there are more"
        )
        if away is not None:
            raise away

    def _use(self, polls_per_s: float) -> None:
        """So many polls a second are ours, of those of our account."""
        self._schedule.budget_per_s = polls_per_s
        self._budget.use_share(polls_per_s / self._polls_per_s)

    def _let_go(self, codes: Sequence[str]) -> None:
        if codes:
            logger.info("no longer polls %s", _some(codes))
        for code in codes:
            self._schedule.remove(code)
            self._stores.feed.forget("code", code)
            self._complaints.forget(f"promise of {code}")

    async def _take_all(self, new: Mapping[str, Want]) -> StoreUnavailable | None:
        """Those that are promised to be seen often first: to read what is known of hundreds takes a moment.

        Returns why some could not be taken: the next look tries again.
        """
        if new:
            logger.info("polls %s", _some(sorted(new)))
        away: StoreUnavailable | None = None
        for code in sorted(new, key=lambda code: (new[code].max_staleness_s or math.inf, code)):
            try:
                await self._take(code, new[code])
            except StoreUnavailable as error:  # one node of a Cluster may be away, and the others there
                away = error
            except (StoreRefused, DecodeError) as error:  # its own trouble: the others are polled all the same
                reason = f"what is stored of it cannot be used: {error}"
                await self._stores.feed.status("code", code, "suspended", reason)
                self._complaints.complain(f"book of {code}", error)
            else:
                self._complaints.content(f"book of {code}")
        return away

    async def _take(self, code: str, want: Want) -> None:
        # Whoever polled it may have left it in trouble, from which it recovers here.
        reason = await self._stores.feed.recall("code", code)
        await self._poller.prepare(code)
        self._schedule.add(code, want.max_staleness_s, want.weight)
        now, now_s = self._clock.now_ms(), self._clock.monotonic_s()
        seen_at = self._poller.seen_at(code, trading_date_of(now / 1000))
        if seen_at is not None and now - seen_at < SEEN_LATELY_MS:
            self._schedule.take_over(code, now_s - max(0, now - seen_at) / 1000, now_s)
        if reason == HALTED and self._signal is not None:
            self._schedule.halt(code)
            self._signal.speak_for([code], HALT_BELIEVED_S)

    def _promise(self, ours: Mapping[str, Want]) -> None:
        for code, want in ours.items():
            if code not in self._schedule.codes:
                continue  # it could not be taken
            is_kept = self._schedule.add(code, want.max_staleness_s, want.weight)
            self._complaints.warn(
                f"promise of {code}",
                not is_kept,
                f"{code}: max_staleness_s {want.max_staleness_s} is not promised: promises may take 80 % of the polls",
            )

    async def _tell_refused(self, wanted: Wanted) -> None:
        """Say what cannot be polled and why: all that operators ask for, of subscribers no more than so many names."""
        told = self._refused_told
        ours = {name: reason for name, reason in wanted.refused.items() if self._division.is_ours(name)}
        for name, reason in ours.items():
            if name in told or name in wanted.watched.refused or len(told) < MOST_REFUSED_TOLD:
                told.add(name)
                await self._stores.feed.status("code", name, "refused", reason)
        self._complaints.warn(
            "names that are no codes",
            not ours.keys() <= told,
            f"more than {MOST_REFUSED_TOLD} names that are no codes were asked for: no more of them are told",
        )


def _some(codes: Sequence[str]) -> str:
    more = f" and {len(codes) - MOST_NAMED} more" if len(codes) > MOST_NAMED else ""
    return ", ".join(codes[:MOST_NAMED]) + more
