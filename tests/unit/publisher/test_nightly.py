"""Filling every evening, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, time

import pytest

from brokertape.gateway.errors import Refused
from brokertape.gateway.values import GlobalState, MarketState
from brokertape.publisher.history import HistoryFiller
from brokertape.publisher.nightly import Nightly, is_due
from brokertape.publisher.retention import Retention, Trimmer
from brokertape.simulator.instruments import KNOWN
from brokertape.simulator.market_model import MarketModel, MarketSettings
from brokertape.simulator.virtual_time import run_virtual
from brokertape.tape.market_time import HKT
from support.filling import FINAL_AT, KEYS, Scene, market_ms

MORNING = "2026-05-07 10:00"  # a Thursday
ONE = KNOWN[0].code
DAY_S = 86_400


def play(act: Callable[[Scene, list[str]], Awaitable[None]], now: str = MORNING) -> None:
    """Run `act` beside a nightly filler of the last two days of the codes in a list."""

    async def main() -> None:
        market = MarketModel(MarketSettings(instruments=KNOWN[:2], trades_per_s=0.05), market_ms(now) / 1000)
        scene, codes = Scene(market, now), [ONE]

        async def codes_now() -> Sequence[str]:
            return codes

        trimmer = Trimmer(scene.client, KEYS, Retention())
        nightly = Nightly(
            scene.filler, trimmer, scene.clock, scene.patience, codes=codes_now, days=2, final_at=FINAL_AT
        )
        running = asyncio.create_task(nightly.run())
        try:
            await act(scene, codes)
        finally:
            running.cancel()
            await asyncio.wait([running])
            await scene.client.aclose()

    run_virtual(main())


async def dates(scene: Scene) -> list[str]:
    """The dates that are published of the first code."""
    return [event.data.trading_date for event in await scene.published() if event.data.code == ONE]


def test_it_fills_at_once_and_then_what_each_day_adds() -> None:
    """Friday evening adds Wednesday's neighbour, Saturday nothing, Monday Friday's list."""

    async def act(scene: Scene, _: list[str]) -> None:
        await scene.clock.sleep(60)
        assert await dates(scene) == ["2026-05-06", "2026-05-05"]
        await scene.clock.sleep(DAY_S)
        assert len(await dates(scene)) == 2
        await scene.clock.sleep(DAY_S / 2)  # Friday, 22:01
        assert (await dates(scene))[2:] == ["2026-05-07"]
        await scene.clock.sleep(2 * DAY_S)
        assert len(await dates(scene)) == 3
        await scene.clock.sleep(DAY_S)
        assert (await dates(scene))[3:] == ["2026-05-08"]
        assert len(scene.asked) == 4

    play(act)


def test_codes_that_are_watched_meanwhile_are_filled_in_the_evening() -> None:
    """The list is read anew each time."""

    async def act(scene: Scene, codes: list[str]) -> None:
        await scene.clock.sleep(60)
        codes.append(KNOWN[1].code)
        await scene.clock.sleep(DAY_S / 2)
        assert len(await scene.ids()) == 4

    play(act)


def test_a_gateway_away_in_the_evening_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """For hours, and told once."""

    async def act(scene: Scene, _: list[str]) -> None:
        await scene.clock.sleep(DAY_S)
        scene.gateway.disconnect()
        await scene.clock.sleep(11 * 3600)  # 21:00
        scene.gateway.connect()
        await scene.clock.sleep(120)
        assert len(await dates(scene)) == 3
        assert caplog.text.count("waiting for it") == 1

    play(act)


def test_missing_rights_are_no_end() -> None:
    """Somebody may buy them: the next evening tries again."""

    async def act(scene: Scene, _: list[str]) -> None:
        scene.gateway.misbehaviour.fail_code(ONE, "行情权限不足")
        await scene.clock.sleep(60)
        scene.gateway.misbehaviour.heal_code(ONE)
        await scene.clock.sleep(DAY_S / 2)
        assert len(await dates(scene)) == 2

    play(act)


@pytest.mark.parametrize(
    ("market", "moment", "filled_on", "due"),
    [
        (MarketState.CLOSED, "2026-05-08 18:00", None, True),
        (MarketState.CLOSED, "2026-05-08 18:00", "2026-05-07", True),
        (MarketState.CLOSED, "2026-05-08 18:00", "2026-05-08", False),
        (MarketState.CLOSED, "2026-05-08 17:59", None, False),
        (MarketState.HK_CAS, "2026-05-08 18:00", None, False),
    ],
)
def test_the_evening_comes_once_a_day(market: MarketState, moment: str, filled_on: str | None, due: bool) -> None:
    """When the market is closed and its lists count as final."""
    state = GlobalState(market, True, None, "", 1, 0)
    filled = None if filled_on is None else datetime.fromisoformat(filled_on).date()
    at = datetime.fromisoformat(moment).replace(tzinfo=HKT)
    assert is_due(state, at, time(18), filled) == due


def test_an_answer_that_makes_no_sense_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal of a kind that nobody has seen: there is the next look."""
    refused = 0
    look = HistoryFiller.look

    async def look_or_fail(self: HistoryFiller) -> tuple[GlobalState, datetime]:
        nonlocal refused
        refused += 1
        if refused < 3:
            raise Refused(-1, "x")
        return await look(self)

    async def act(scene: Scene, _: list[str]) -> None:
        await scene.clock.sleep(200)
        assert await dates(scene) == ["2026-05-06", "2026-05-05"]

    monkeypatch.setattr(HistoryFiller, "look", look_or_fail)
    play(act)
