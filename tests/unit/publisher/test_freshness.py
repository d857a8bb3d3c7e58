"""The publisher in a quiet market whose lists follow their trades late, in virtual time: how soon it finds a change."""

import asyncio
from statistics import fmean

import pytest

from brokertape.publisher.service import Intervals
from brokertape.simulator.in_memory import InMemoryGateway
from brokertape.simulator.instruments import KNOWN
from brokertape.simulator.market_model import MarketModel, MarketSettings, Suspension
from brokertape.simulator.trading_calendar import market_moment
from brokertape.simulator.virtual_time import VirtualClock, run_virtual
from support.fake_redis import fake_redis
from support.publishing import KEYS, Bench, assemble
from support.simulated_week import DAYS

pytestmark = pytest.mark.one_python  # hours in virtual time

BEGIN_S = market_moment(DAYS[0], 10 * 3600)
CODES = [instrument.code for instrument in KNOWN[:20]]
SELDOM = Intervals(watch_s=30, watermark_s=300, lease_s=300, why_s=300)
WARM_UP_S, WATCHED_S = 1_200, 1_200


class Watch:
    """Looks at a market and at what is published of it, once a second."""

    def __init__(self, clock: VirtualClock, market: MarketModel, bench: Bench) -> None:
        self._clock = clock
        self._market = market
        self._bench = bench
        self._since: dict[str, float] = {}
        self.waited_s: list[float] = []

    async def watch(self, seconds: int) -> None:
        """How long each list that differs has waited when it does no more."""
        for _ in range(seconds):
            await self._clock.sleep(1)
            self._market.advance(self._clock.now_s())
            for code in CODES:
                self._look(code)

    def _look(self, code: str) -> None:
        book, now = self._bench.poller.book(code), self._clock.now_s()
        shown = [(item.broker_name, item.net_vol) for item in self._market.table(code).brokers]
        if book is not None and [(row.broker_name, row.net_vol) for row in book.rows] == shown:
            if (since := self._since.pop(code, None)) is not None:
                self.waited_s.append(now - since)
        else:
            self._since.setdefault(code, now)


def waited_s(lag_s: tuple[float, float], *, with_snapshots: bool) -> tuple[list[float], float]:
    """How long changes waited once the publisher has settled in, and the lag that it has learnt."""

    async def main() -> tuple[list[float], float]:
        clock = VirtualClock(round(BEGIN_S * 1000))
        settings = MarketSettings(instruments=KNOWN[:20], trades_per_s=0.1, list_lag_s=lag_s)
        market = MarketModel(settings, BEGIN_S)
        gateway, client, stop = InMemoryGateway(market, clock.now_s), fake_redis(), asyncio.Event()
        bench = assemble(client, gateway, clock, intervals=SELDOM, with_snapshots=with_snapshots)
        for code in CODES:
            await bench.watch.add_missing(code)
        publishing = asyncio.create_task(bench.publisher.run(stop))
        watch = Watch(clock, market, bench)
        await watch.watch(WARM_UP_S)
        watch.waited_s.clear()
        await watch.watch(WATCHED_S)
        stop.set()
        await publishing
        await client.aclose()
        return watch.waited_s, bench.schedule.lag_s

    return run_virtual(main())


def test_with_the_volumes_a_change_is_found_almost_at_once() -> None:
    """Where a round takes twenty seconds."""
    blind_s, _ = waited_s((0.2, 1.0), with_snapshots=False)
    heard_s, lag_s = waited_s((0.2, 1.0), with_snapshots=True)
    assert len(heard_s) > 30
    assert fmean(heard_s) < 4 < 8 < fmean(blind_s)
    assert lag_s <= 5


@pytest.mark.parametrize("lag_s", [(8.0, 12.0)])
def test_a_list_that_comes_late_is_waited_for(lag_s: tuple[float, float]) -> None:
    """Polled at once it would be found unchanged, and its change only by the next trade or the cap, minutes later."""
    heard_s, learnt_s = waited_s(lag_s, with_snapshots=True)
    assert len(heard_s) > 30
    assert learnt_s > 8
    assert fmean(heard_s) < 12


def test_a_code_that_does_not_trade_costs_one_poll() -> None:
    """Suspended: its list is asked for once, and again when it trades."""
    resumes_s = 1_200

    async def main() -> None:
        clock = VirtualClock(round(BEGIN_S * 1000))
        halt = Suspension(CODES[0], BEGIN_S - 3_600, BEGIN_S + resumes_s)
        market = MarketModel(MarketSettings(instruments=KNOWN[:20], suspensions=(halt,)), BEGIN_S)
        gateway, client, stop = InMemoryGateway(market, clock.now_s), fake_redis(), asyncio.Event()
        bench = assemble(client, gateway, clock, intervals=SELDOM, with_snapshots=True)
        for code in CODES:
            await bench.watch.add_missing(code)
        publishing = asyncio.create_task(bench.publisher.run(stop))
        await clock.sleep(resumes_s)
        assert sum(answer.code == CODES[0] for answer in gateway.answers) == 1
        assert b'"suspended"' in (await client.hget(KEYS.status, f"code|{CODES[0]}") or b"")
        await clock.sleep(300)
        assert sum(answer.code == CODES[0] for answer in gateway.answers) > 5
        assert b'"recovered"' in (await client.hget(KEYS.status, f"code|{CODES[0]}") or b"")
        stop.set()
        await publishing
        await client.aclose()

    run_virtual(main())
