"""A filler of past days put together for a test: on virtual time, a gateway and a Redis in memory."""

import logging
from datetime import datetime, time
from typing import Any

from brokertape.gateway.values import BrokerItem, BuySellType, TopTenBrokers
from brokertape.publisher.budget import Budget, MemoryBudgetStore
from brokertape.publisher.history import HistoryFiller
from brokertape.publisher.history_store import HistoryStore
from brokertape.publisher.lane import Lane
from brokertape.publisher.patience import Patience
from brokertape.publisher.window import Limit, Pace
from brokertape.simulator.in_memory import InMemoryGateway
from brokertape.simulator.market import Market
from brokertape.simulator.rules import Limits
from brokertape.simulator.virtual_time import VirtualClock
from brokertape.tape import Keys, decode_entry
from brokertape.tape.events import HistoryEvent
from brokertape.tape.market_time import HKT
from support.fake_redis import fake_redis

KEYS = Keys()
FINAL_AT = time(18)
TIMEOUT_S = 5.0


def market_ms(text: str) -> int:
    """A moment in market time, in ms since 1970."""
    return int(datetime.fromisoformat(text).replace(tzinfo=HKT).timestamp() * 1000)


def past_list(code: str, *names: str, stamp: str | None = None) -> TopTenBrokers:
    """A list of a past day with these buyers, updated at `stamp` (market time)."""
    buyers = tuple(BrokerItem(name, BuySellType.NET_BUY, 100, None, None, None) for name in names)
    return TopTenBrokers(code, False, None if stamp is None else market_ms(stamp) // 1000, buyers)


class Scene:
    """A filler and its world; `now` is market time, as 2026-05-08 19:00."""

    def __init__(self, market: Market, now: str, *, patience_s: float | None = None, **limits: Any) -> None:
        self.clock = VirtualClock(market_ms(now))
        self.gateway = InMemoryGateway(market, self.clock.now_s, limits=Limits(**limits), request_timeout_s=TIMEOUT_S)
        self.client = fake_redis()
        self.store = HistoryStore(self.client, KEYS)
        self.window = MemoryBudgetStore(self.clock, Limit(), TIMEOUT_S)
        self.patience = Patience(self.clock, logging.getLogger("test"), patience_s)
        self.filler = self.new_filler()

    def new_filler(self) -> HistoryFiller:
        """As after a restart, which remembers nothing but what is in Redis."""
        budget = Budget(self.window, self.clock, Limit(), TIMEOUT_S, Pace(), Lane(headroom=3, quiet_s=5.0))
        return HistoryFiller(
            self.gateway, budget, self.store, self.clock, self.patience, source="/opend/test", final_at=FINAL_AT
        )

    @property
    def asked(self) -> list[tuple[str, int]]:
        """(code, days before) of every request the gateway answered, refusals included."""
        return [(answer.code, answer.days_before) for answer in self.gateway.answers]

    async def published(self) -> list[HistoryEvent]:
        """What is on the stream."""
        entries: Any = await self.client.xrange(KEYS.history)
        events = [decode_entry(fields) for _, fields in entries]
        return [event for event in events if isinstance(event, HistoryEvent)]

    async def ids(self) -> list[str]:
        """The ids of what is on the stream."""
        return [event.id for event in await self.published()]
