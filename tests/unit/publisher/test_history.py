"""Filling past days, in virtual time, on a gateway and a Redis in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import pytest
from msgspec.structs import asdict

from brokertape.gateway.errors import NoRights, NotConnected
from brokertape.publisher.history_store import HistoryStore
from brokertape.publisher.retention import Retention, Trimmer
from brokertape.publisher.snapshot import Snapshot
from brokertape.simulator.fixed_market import FixedMarket
from brokertape.simulator.instruments import HANG_SENG_INDEX, KNOWN
from brokertape.simulator.market_model import MarketModel, MarketSettings
from brokertape.simulator.trading_calendar import TradingCalendar
from brokertape.simulator.virtual_time import run_virtual
from brokertape.tape.errors import StoreUnavailable
from brokertape.tape.events import HistoryEvent
from support.filling import KEYS, Scene, market_ms, past_list

EVENING = "2026-05-08 19:00"  # a Friday
ONE, TWO = "HK.00700", "HK.00005"
CALENDAR = TradingCalendar(holidays=frozenset({date(2026, 5, 6)}), half_days=frozenset({date(2026, 5, 7)}))


def traded_market(now: str = EVENING) -> MarketModel:
    """Three codes that trade; Wednesday is a holiday and Thursday a half day."""
    instruments = tuple(one for one in (*KNOWN, HANG_SENG_INDEX) if one.code in (ONE, TWO, "HK.800000"))
    settings = MarketSettings(instruments=instruments, trades_per_s=0.05, calendar=CALENDAR)
    return MarketModel(settings, market_ms(now) / 1000)


def shown_market(code: str = ONE, days: int = 3, stamps: dict[int, str] | None = None) -> FixedMarket:
    """A market that shows a list for each of so many past days, stamped if `stamps` has the day."""
    market = FixedMarket(KNOWN, calendar=CALENDAR)
    for days_before in range(1, days + 1):
        market.show_table(past_list(code, f"broker {days_before}", stamp=(stamps or {}).get(days_before)), days_before)
    return market


def play(scene: Scene, act: Callable[[Scene], Awaitable[None]]) -> None:
    """Run `act` on virtual time."""

    async def main() -> None:
        try:
            await act(scene)
        finally:
            await scene.client.aclose()

    run_virtual(main())


def dates(ids: list[str]) -> list[str]:
    """The date in each event id."""
    return [one.rpartition("/")[2] for one in ids]


def test_every_list_is_published_as_the_gateway_gave_it_newest_first() -> None:
    """Row for row, with its date, holidays and half days considered."""

    async def act(scene: Scene) -> None:
        tally = await scene.filler.fill([ONE, TWO], 3)
        events = await scene.published()
        expected = [(day, code) for day in ("2026-05-07", "2026-05-05", "2026-05-04") for code in (ONE, TWO)]
        assert [(event.data.trading_date, event.data.code) for event in events] == expected
        for event, answer in zip(events, scene.gateway.answers, strict=True):
            table = answer.reply.table_or_raise()
            rows = Snapshot.of(table, 0, 0).rows
            assert event.data.days_before == answer.days_before
            assert event.data.data_time == table.data_time
            assert rows
            assert [asdict(row) for row in event.data.rows] == [
                {name: getattr(row, name) for name in ("rank", "side", "broker_name", "net_vol")} for row in rows
            ]
        assert (tally.asked, tally.published, tally.not_available, tally.left) == (6, 6, 0, 0)

    play(Scene(traded_market(), EVENING), act)


def test_a_second_run_asks_for_nothing_and_a_longer_one_for_the_rest() -> None:
    """What is there is remembered by date."""

    async def act(scene: Scene) -> None:
        await scene.filler.fill([ONE, TWO], 2)
        again = await scene.new_filler().fill([ONE, TWO], 2)
        assert (again.asked, again.already_there) == (0, 4)
        await scene.clock.sleep(3 * 86_400)  # Monday: what was one day before is two
        longer = await scene.new_filler().fill([ONE, TWO], 4)
        assert (longer.asked, longer.published, longer.already_there) == (4, 4, 4)
        ids = await scene.ids()
        assert len(ids) == len(set(ids)) == 8
        assert set(dates(ids)) == {"2026-05-04", "2026-05-05", "2026-05-07", "2026-05-08"}

    play(Scene(traded_market(), EVENING), act)


@pytest.mark.parametrize("after_s", [0.0, 1.2, 2.5, 3.9, 5.3])
def test_a_run_that_is_killed_goes_on_where_it_was(after_s: float) -> None:
    """Wherever it was: each list once, and at most the one request in flight a second time."""

    async def act(scene: Scene) -> None:
        scene.gateway.misbehaviour.latency_ms = 200
        first = asyncio.create_task(scene.filler.fill([ONE, TWO], 3))
        await scene.clock.sleep(after_s)
        first.cancel()
        await asyncio.wait([first])
        await scene.new_filler().fill([ONE, TWO], 3)
        ids = await scene.ids()
        assert len(ids) == len(set(ids)) == 6
        assert len(scene.asked) <= 7

    play(Scene(traded_market(), EVENING), act)


class LosesReplies(HistoryStore):
    """A store whose every first write succeeds without an answer."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._lost: set[str] = set()

    async def publish(self, event: HistoryEvent, commit: str, *, again: bool = False) -> bool:
        """See HistoryStore."""
        written = await super().publish(event, commit, again=again)
        if event.id not in self._lost:
            self._lost.add(event.id)
            raise StoreUnavailable("the connection was lost")
        return written


@pytest.mark.parametrize("again", [False, True])
def test_a_write_in_doubt_is_repeated_and_done_once(again: bool) -> None:
    """The connection to Redis is lost before its answer."""

    async def act(scene: Scene) -> None:
        scene.store = LosesReplies(scene.client, KEYS)
        await scene.new_filler().fill([ONE, TWO], 3, again=again)
        assert len(await scene.ids()) == 6
        assert len(scene.asked) == 6

    play(Scene(traded_market(), EVENING), act)


def test_again_asks_for_everything_once() -> None:
    """Under the same ids."""

    async def act(scene: Scene) -> None:
        await scene.filler.fill([ONE, TWO], 2)
        tally = await scene.new_filler().fill([ONE, TWO], 2, again=True)
        assert (tally.asked, tally.published) == (4, 4)
        ids = await scene.ids()
        assert sorted(ids[:4]) == sorted(ids[4:])

    play(Scene(traded_market(), EVENING), act)


def test_a_code_listed_lately_ends_quietly(caplog: pytest.LogCaptureFixture) -> None:
    """Two empty days in a row end it, and no later run asks for them again."""

    async def act(scene: Scene) -> None:
        tally = await scene.filler.fill([ONE], 9)
        assert (tally.asked, tally.published, tally.not_available, tally.failed) == (5, 3, 6, 0)
        assert (await scene.new_filler().fill([ONE], 9)).asked == 0
        assert caplog.text == ""

    play(Scene(shown_market(days=3), EVENING), act)


def test_a_refusal_of_the_day_ends_it_at_once() -> None:
    """The gateway goes back so far and no further."""

    async def act(scene: Scene) -> None:
        tally = await scene.filler.fill([ONE, TWO], 5)
        assert (tally.asked, tally.published, tally.not_available) == (6, 4, 6)
        assert (await scene.new_filler().fill([ONE, TWO], 5)).asked == 0

    play(Scene(traded_market(), EVENING, past_days=2), act)


def test_a_list_that_was_late_is_asked_for_on_another_day() -> None:
    """An empty newest day is neither the end nor for ever."""

    async def act(scene: Scene) -> None:
        market.show_table(past_list(ONE), 1)
        tally = await scene.filler.fill([ONE], 3)
        assert (tally.asked, tally.published, tally.not_available) == (3, 2, 1)
        assert (await scene.new_filler().fill([ONE], 3)).asked == 0
        await scene.clock.sleep(86_400)
        market.show_table(past_list(ONE, "late", stamp="2026-05-07 16:08"), 1)
        assert (await scene.new_filler().fill([ONE], 3)).published == 1
        assert len(await scene.ids()) == 3

    market = shown_market(days=3)
    play(Scene(market, EVENING), act)


def test_codes_without_such_lists_are_left_out() -> None:
    """An unknown code, or an index: one request each, and the others go on."""

    async def act(scene: Scene) -> None:
        tally = await scene.filler.fill(["HK.99999", TWO], 3)
        assert (tally.asked, tally.published, tally.not_available) == (4, 3, 3)

    play(Scene(traded_market(), EVENING), act)


def test_a_refusal_too_often_is_backed_off_from() -> None:
    """Somebody else uses the account: held like live, nothing lost."""

    async def act(scene: Scene) -> None:
        tally = await scene.filler.fill([ONE, TWO], 3)
        assert tally.published == 6
        refused = [answer for answer in scene.gateway.answers if answer.reply.ret_type != 0]
        assert refused
        assert scene.clock.monotonic_s() > 3.0 * len(refused)

    play(Scene(traded_market(), EVENING, limit=2, window_s=10.0), act)


def test_replies_that_do_not_come_leave_a_code_for_the_next_run() -> None:
    """After three attempts; the others are had."""

    async def act(scene: Scene) -> None:
        await scene.filler.fill([TWO], 1)  # with it, the calendar is known
        scene.gateway.misbehaviour.drop_replies(3)
        tally = await scene.filler.fill([ONE, TWO], 1)
        assert (tally.published, tally.already_there, tally.failed) == (0, 1, 1)
        assert (await scene.new_filler().fill([ONE, TWO], 1)).published == 1

    play(Scene(traded_market(), EVENING), act)


def test_a_gateway_that_is_away_is_waited_for() -> None:
    """Also one that is not logged in."""

    async def act(scene: Scene) -> None:
        filling = asyncio.create_task(scene.filler.fill([ONE, TWO], 3))
        await scene.clock.sleep(2)
        scene.gateway.disconnect()
        await scene.clock.sleep(3600)
        scene.gateway.misbehaviour.is_logged_in = False
        scene.gateway.connect()
        await scene.clock.sleep(3600)
        assert len(scene.asked) < 6
        scene.gateway.misbehaviour.is_logged_in = True
        assert (await filling).published == 6

    play(Scene(traded_market(), EVENING), act)


def test_patience_and_rights_end_a_run() -> None:
    """With the gateway's error."""

    async def act(scene: Scene) -> None:
        scene.gateway.misbehaviour.fail_code(ONE, "行情权限不足")
        with pytest.raises(NoRights):
            await scene.filler.fill([ONE], 3)
        scene.gateway.disconnect()
        with pytest.raises(NotConnected):
            await scene.new_filler().fill([ONE], 3)

    play(Scene(traded_market(), EVENING, patience_s=60.0), act)


def test_lists_without_a_stamp_are_dated_by_the_calendar_while_that_is_certain() -> None:
    """From the open to midnight; what the night cuts off is left, and nothing has a wrong date."""

    async def act(scene: Scene) -> None:
        tally = await scene.filler.fill([ONE], 9)
        assert dates(await scene.ids()) == ["2026-05-07", "2026-05-05", "2026-05-04"][: tally.published]
        assert 0 < tally.published < 3
        assert tally.failed == 9 - tally.published
        await scene.clock.sleep(3 * 86_400 - 7200)  # Monday evening, and Friday is one day before
        assert (await scene.new_filler().fill([ONE], 3)).published > 0
        assert dates(await scene.ids())[-1] != dates(await scene.ids())[0]

    play(Scene(shown_market(days=9), "2026-05-08 23:59:58"), act)


def test_a_list_without_a_stamp_asked_for_at_midnight_is_not_dated() -> None:
    """It left on Friday and was answered on Saturday: nobody knows what one day before meant."""

    async def act(scene: Scene) -> None:
        scene.gateway.misbehaviour.latency_ms = 1500  # the request is sent at 23:59:59
        tally = await scene.filler.fill([ONE], 1)
        assert ("HK.00700", 1) in scene.asked
        assert (tally.published, tally.failed) == (0, 1)

    play(Scene(shown_market(days=1), "2026-05-08 23:59:50"), act)


def test_on_a_day_without_trading_only_a_stamp_dates_a_list(caplog: pytest.LogCaptureFixture) -> None:
    """One request finds that out."""

    async def act(scene: Scene) -> None:
        tally = await scene.filler.fill([ONE, TWO], 3)
        assert (tally.asked, tally.published, tally.failed) == (1, 0, 6)
        assert caplog.text.count("no stamp") == 1

    play(Scene(shown_market(days=9), "2026-05-09 12:00"), act)


def test_the_stamp_wins_over_the_calendar(caplog: pytest.LogCaptureFixture) -> None:
    """A gateway to which Friday is one day before Saturday: every day once, under its own date, told once."""
    stamps = {1: "2026-05-08 16:08", 2: "2026-05-07 12:08", 3: "2026-05-05 16:08"}

    async def act(scene: Scene) -> None:
        tally = await scene.filler.fill([ONE], 3)
        assert dates(await scene.ids()) == ["2026-05-08", "2026-05-07", "2026-05-05"]
        assert tally.asked == 3
        assert caplog.text.count("was expected") == 1

    play(Scene(shown_market(days=3, stamps=stamps), "2026-05-09 12:00"), act)


def test_a_day_that_begins_during_a_run_moves_the_count(caplog: pytest.LogCaptureFixture) -> None:
    """Live had the budget over the pre-open: what was planned as one day before is two by now."""

    async def act(scene: Scene) -> None:
        live = asyncio.create_task(keep_live_busy(scene, until_s=300))
        await scene.clock.sleep(10)
        tally = await scene.filler.fill([ONE], 2)
        await live
        assert dates(await scene.ids()) == ["2026-05-07", "2026-05-05"]
        assert tally.asked == 2
        assert "was expected" not in caplog.text

    async def keep_live_busy(scene: Scene, until_s: float) -> None:
        while scene.clock.monotonic_s() < until_s:
            await scene.window.reserve("live", 0.0)
            await scene.clock.sleep(2.0)

    play(Scene(traded_market("2026-05-08 08:58"), "2026-05-08 08:58"), act)


def test_publishers_keep_the_history_bounded() -> None:
    """By the tape's rules."""

    async def act(scene: Scene) -> None:
        await scene.filler.fill([ONE], 3)
        fields: Any = {"topic": "x"}
        for _ in range(2000):
            await scene.client.xadd(KEYS.history, fields)
        assert await Trimmer(scene.client, KEYS, Retention(most_entries=500)).trim(0) > 1000
        assert await scene.client.xlen(KEYS.history) < 700

    play(Scene(traded_market(), EVENING), act)
