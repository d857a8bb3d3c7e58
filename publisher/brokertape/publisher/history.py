"""Past trading days, one request from top to bottom: ask, date the answer, publish; on what live leaves of the budget.

Crash-only: what is published is remembered in Redis in the same step, so a run that was killed goes on where it was.
"""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from brokertape.gateway.errors import (
    GatewayError,
    NoRights,
    NotAdmitted,
    NotConnected,
    NotHongKong,
    OverBudget,
    Refused,
    TooManyInFlight,
    UnknownCode,
    UpstreamTrouble,
)
from brokertape.gateway.port import Gateway
from brokertape.gateway.values import GlobalState, TopTenBrokers
from brokertape.publisher.budget import Budget, Slot, SlotExpired
from brokertape.publisher.clock import Clock
from brokertape.publisher.day_count import DayCount, Undated
from brokertape.publisher.history_store import HistoryStore
from brokertape.publisher.past_days import Known, Marks, PastDays, Step
from brokertape.publisher.patience import Patience
from brokertape.publisher.snapshot import Snapshot
from brokertape.tape.events import HistoryData, HistoryEvent, HistoryRow
from brokertape.tape.market_time import HKT, rfc3339

logger = logging.getLogger("brokertape.publisher.history")

ATTEMPTS = 3  # so many failures of one request in a row, and its code is left for the next run
RETRY_PAUSE_S = 1.0
FRESH_S = 60.0  # for so long a look at the gateway's clock tells which day it is; an answer may tell otherwise
CALENDAR_SLACK_DAYS = 30  # of the calendar, beside two for each trading day: longer than any holidays


@dataclass(slots=True)
class Tally:
    """How a run stands, in lists: one is of one code and day.

    `wanted` in all; `already_there` before this run or by another one; `failed`: could not be had this time; `left`:
    still to ask for. What is none of them the gateway does not have. `asked` counts requests.
    """

    wanted: int = 0
    already_there: int = 0
    asked: int = 0
    published: int = 0
    failed: int = 0
    left: int = 0

    @property
    def not_available(self) -> int:
        """Lists that the gateway does not have."""
        return max(0, self.wanted - self.already_there - self.published - self.failed - self.left)

    def __str__(self) -> str:
        found = f"{self.asked} asked for, {self.published} published, {self.already_there} already there"
        return f"{found}, {self.not_available} not available" + f", {self.failed} failed" * (self.failed > 0)


class HistoryFiller:
    """Publishes what is missing of the last days of some codes, newest day first over all codes.

    Args:
        gateway: Its clock and its calendar say which day it is.
        budget: Of requests that stand back behind live.
        store: Where the lists go, and what is remembered of them.
        clock: Our own, for pauses and the times of events.
        patience: How it waits for a gateway or a Redis that is away.
        source: The event source, `/opend/<gateway>`.
        final_at: Market time from which the list of a day counts as final.
    """

    def __init__(
        self,
        gateway: Gateway,
        budget: Budget,
        store: HistoryStore,
        clock: Clock,
        patience: Patience,
        *,
        source: str,
        final_at: time,
    ) -> None:
        self._gateway = gateway
        self._budget = budget
        self._store = store
        self._clock = clock
        self._patience = patience
        self._source = source
        self._final_at = final_at
        self._calendar: tuple[date, int, Sequence[str]] | None = None
        self._failures_in_a_row = 0
        self._told: set[str] = set()
        self.tally = Tally()

    async def fill(self, codes: Sequence[str], days: int, *, again: bool = False) -> Tally:
        """Publish what is missing of the last `days` trading days of `codes`; with `again`, all of it.

        Raises:
            GatewayError: The gateway was away for too long, or the account has no right to such lists.
            StoreError: Redis was, or refuses.
        """
        self.tally, self._told = Tally(), set()
        marks: Marks = {}
        past: PastDays | None = None
        while True:
            count = await self._count_days(days)
            if past is None or not past.count.is_same_day(count):
                past = await self._begin(codes, days, count, marks, again=again)
            self.tally.left = past.left
            if (step := past.next()) is None:
                return self.tally
            looked_at_s = self._clock.monotonic_s()
            slot = await self._patience.wait_for(self._budget.acquire)
            # Live may have had the budget for hours: then which day it is has to be seen anew, and the slot runs out.
            if self._clock.monotonic_s() - looked_at_s < FRESH_S:
                await self._ask(past, step, slot, count.moment, again=again)

    async def look(self) -> tuple[GlobalState, datetime]:
        """The gateway's state and market time. Raises GatewayError, also while it cannot be asked for lists."""
        state = await self._gateway.global_state()
        if not state.is_ready:
            raise NotAdmitted("the gateway is not logged in, or not ready")
        return state, datetime.fromtimestamp(state.time_s, HKT)

    # --- what is to be asked --------------------------------------------------------------------------------------

    async def _count_days(self, days: int) -> DayCount:
        """What `days_before` means now, by the calendar, which is asked for once a day."""
        _, moment = await self._patience.wait_for(self.look)
        today = moment.date()
        if self._calendar is None or self._calendar[:2] != (today, days):
            begin = (today - timedelta(days=2 * days + CALENDAR_SLACK_DAYS)).isoformat()
            found = await self._patience.wait_for(lambda: self._gateway.trade_dates(begin, today.isoformat()))
            self._calendar = today, days, sorted(day.date for day in found)
        return DayCount.at(self._calendar[2], moment)

    async def _begin(self, codes: Sequence[str], days: int, count: DayCount, marks: Marks, *, again: bool) -> PastDays:
        """The work of the day that `count` counts back from. `marks` are those of this run so far: it adds to them."""
        unread = [date for date in count.reach(days) if date not in marks]
        marks |= {} if again else await self._patience.wait_for(lambda: self._store.known(unread, codes))
        past = PastDays(codes, days, count, marks)
        self.tally.wanted = past.wanted
        self.tally.already_there = max(0, past.already_there - self.tally.published)
        return past

    # --- one request ----------------------------------------------------------------------------------------------

    async def _ask(self, past: PastDays, step: Step, slot: Slot, moment: datetime, *, again: bool) -> None:
        try:
            async with slot:
                self.tally.asked += 1
                table = await self._gateway.top_ten_brokers(step.code, step.days_before)
        except SlotExpired:
            return
        except GatewayError as error:
            await self._learn_from(error, past, step)
            return
        self._failures_in_a_row = 0
        if table.brokers:
            await self._take(table, past, step, moment, again=again)
        else:
            await self._take_absence(past, step)

    async def _learn_from(self, error: GatewayError, past: PastDays, step: Step) -> None:
        match error:
            case OverBudget() | NotConnected() | TooManyInFlight():
                return  # the budget holds, or the next look waits
            case NoRights():
                raise error
            case UnknownCode() | NotHongKong():
                logger.warning("%s has no past lists: %s", step.code, error)
                past.end(step.code)
            case Refused() if not isinstance(error, UpstreamTrouble):
                logger.info("%s, %d days before: %s", step.code, step.days_before, error)
                await self._take_absence(past, step, is_end=True)
            case _:
                await self._fail(error, past, step)

    async def _fail(self, error: GatewayError, past: PastDays, step: Step) -> None:
        self._failures_in_a_row += 1
        if self._failures_in_a_row < ATTEMPTS:
            await self._clock.sleep(RETRY_PAUSE_S)
            return
        logger.warning("%s, %d days before, is left for the next run: %s", step.code, step.days_before, error)
        self._failures_in_a_row = 0
        self.tally.failed += past.end(step.code)

    async def _take_absence(self, past: PastDays, step: Step, *, is_end: bool = False) -> None:
        """Remember it for later runs only of a date that is certain: another one may have a list."""
        known = Known(past.count.today, is_end)
        if past.count.is_certain:
            await self._patience.wait_for(lambda: self._store.absent(step.code, step.date, known))
        past.absent(step, known)

    async def _take(self, table: TopTenBrokers, past: PastDays, step: Step, moment: datetime, *, again: bool) -> None:
        date = past.count.date_of(step.days_before, table, moment, self._final_at)
        if isinstance(date, Undated):
            self._tell(date.reason)
            self.tally.failed += past.end_all() if date.is_general else past.end(step.code)
            return
        if table.data_time is None and not await self._is_still(past.count):
            return  # the day changed while it was asked for: nobody knows which one was meant
        event, commit = self._event(table, step, date), uuid.uuid4().hex
        if await self._patience.wait_for(lambda: self._store.publish(event, commit, again=again)):
            self.tally.published += 1
        else:
            self.tally.already_there += 1
        past.published(step, date)
        if table.data_time is not None:
            self._learn_from_stamp(past, step, date)

    def _learn_from_stamp(self, past: PastDays, step: Step, date: str) -> None:
        """The stamp of an answer tells from which day the gateway counts, or that this code has an old list."""
        if date != step.date:
            self._tell(f"{step.days_before} days before is {date} to the gateway, {step.date} was expected")
        count = past.count.voted(step.code, step.days_before, date)
        if count is past.count:
            past.end(step.code)
        elif count.shift != past.count.shift:
            past.recount(count)
        else:
            past.count = count

    async def _is_still(self, count: DayCount) -> bool:
        _, moment = await self._patience.wait_for(self.look)
        return count.is_same_day(DayCount.at(count.dates, moment))

    def _event(self, table: TopTenBrokers, step: Step, date: str) -> HistoryEvent:
        now = self._clock.now_ms()
        rows = Snapshot.of(table, now, now).rows
        return HistoryEvent(
            source=self._source,
            id=f"{step.code}/history/{date}",
            subject=step.code,
            time=rfc3339(now),
            data=HistoryData(
                code=step.code,
                trading_date=date,
                days_before=step.days_before,
                data_time=table.data_time,
                rows=tuple(map(HistoryRow.of, rows)),
            ),
        )

    def _tell(self, text: str) -> None:
        """Log once a run what may be true of every answer."""
        if text not in self._told:
            logger.warning(text)
        self._told.add(text)
