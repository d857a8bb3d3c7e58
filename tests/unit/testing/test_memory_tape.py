"""A tape in memory, read through the same `subscribe`."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from brokertape.subscriber import Freshness, State, Status, Update, subscribe, subscribe_sync
from brokertape.subscriber.source import Entry
from brokertape.tape.errors import ApplyError
from brokertape.tape.events import RolloverEvent
from brokertape.tape.keys import Keys
from brokertape.testing import MemoryTape
from support.subscriptions import listening
from support.tape_factory import TapeFactory
from support.waiting import until

CODE = "HK.00700"


async def test_a_trade_is_told_as_the_change_it_makes() -> None:
    """A test says who trades; the subscriber hears what a publisher would say."""
    tape = MemoryTape()
    tape.trade(CODE, "UBS", bought=1000, price=460.0)
    tape.trade(CODE, "Goldman Sachs", bought=500, price=465.0)
    async with subscribe(tape, CODE) as subscription:
        assert (await anext(subscription)).kind == "state"
        tape.advance(10)
        tape.trade(CODE, "Goldman Sachs", sold=66_400, price=466.0)
        last = await anext(subscription)
    assert isinstance(last, Update)
    (change,) = (one for one in last.changes if one.broker_name == "Goldman Sachs")
    assert change.kinds == ("flipped", "net")
    assert change.flow is not None
    assert (change.flow.sell_vol, change.flow.vwap) == (66_400, 466.0)
    assert last.book is not None
    assert [row.broker_name for row in (*last.book.buyers, *last.book.sellers)] == ["UBS", "Goldman Sachs"]


async def test_a_poll_that_finds_nothing_is_no_event() -> None:
    """An eleventh buyer does not show in a list of ten."""
    tape = MemoryTape()
    for number in range(10):
        assert tape.trade(CODE, f"Broker {number}", bought=1000) is not None
    assert tape.trade(CODE, "Eleventh", bought=100) is None


async def test_time_is_the_tests_own() -> None:
    """Stale and fresh without waiting for it."""
    tape = MemoryTape(now_ms=1_778_198_400_000)
    tape.trade(CODE, "UBS", bought=1000)
    async with listening(subscribe(tape, CODE, max_age=30)) as listener:
        await listener.told("state")
        tape.advance(30)
        tape.advance(1)
        await listener.told("state", "stale")
        tape.watermark()
        await listener.told("state", "stale", "fresh")
    assert listener.events[1:] == [Freshness("stale", CODE, 31.0), Freshness("fresh", CODE, 0.0)]


@pytest.mark.parametrize(("pause_s", "is_late"), [(30, False), (31, True)])
async def test_what_waits_too_long_for_its_handler_is_late(pause_s: float, is_late: bool) -> None:
    """However quickly it was read."""
    tape = MemoryTape()
    tape.trade(CODE, "UBS", bought=1000)
    async with subscribe(tape, CODE, max_age=30) as subscription:
        await anext(subscription)
        tape.trade(CODE, "UBS", bought=1000)
        await until(lambda: subscription.counts.updates == 1)
        tape.advance(pause_s)
        event = await anext(subscription)
        assert isinstance(event, Update)
        assert event.is_late is is_late


async def test_a_new_day_is_a_rollover() -> None:
    """With the close of the day before, and totals that begin anew."""
    tape = MemoryTape(now_ms=1_778_198_400_000)
    tape.trade(CODE, "UBS", bought=1000)
    tape.advance(24 * 3600)
    event = tape.trade(CODE, "UBS", sold=500)
    assert isinstance(event, RolloverEvent)
    assert [row.net_vol for row in event.data.rows] == [-500]
    assert [row.net_vol for row in event.data.closing.rows] == [1000]


@pytest.mark.parametrize("shares", [{}, {"bought": -5}, {"bought": 5, "sold": -5}, {"bought": 5, "price": 0}])
def test_a_trade_of_nothing_is_refused(shares: dict[str, Any]) -> None:
    """The mistake is the test's."""
    with pytest.raises(ValueError, match="use shares and a price above 0"):
        MemoryTape().trade(CODE, "UBS", **shares)


async def test_a_lost_entry_is_a_hole() -> None:
    """For the handler that must not overlook one."""
    tape, factory = MemoryTape(), TapeFactory(CODE)
    tape.push(factory.baseline())
    async with listening(subscribe(tape, CODE)) as listener:
        await listener.told("state")
        tape.lose(factory.change())
        tape.push(factory.change())
        await listener.told("state", "resync")
        last = listener.events[-1]
        assert isinstance(last, State)
        assert last.book is not None
        assert last.book.rows == factory.rows


class SlowlyReadTape(MemoryTape):
    """Reads the feed for fifteen seconds, whose watermarks are ahead, before it comes to the tape."""

    reads = 0

    async def read(self, after: Mapping[str, str], block_ms: int) -> Sequence[Entry]:
        self.reads += 1
        self.advance(1)
        self.watermark()
        entries = await super().read(after, block_ms)
        return [entry for entry in entries if self.reads > 15 or entry.stream == Keys().feed]


async def test_a_watermark_ahead_of_a_slow_reader_is_no_hole() -> None:
    """Everything is still on the tape, and comes."""
    tape = SlowlyReadTape()
    tape.trade(CODE, "UBS", bought=1000)
    position = {"streams": {Keys().tape_of(CODE): "0-0"}, "codes": {CODE: None}}
    for _ in range(30):
        tape.trade(CODE, "UBS", bought=1000)
    async with listening(subscribe(tape, CODE, position=position)) as listener:
        await listener.told("baseline", *["change"] * 30)


async def test_what_was_trimmed_behind_a_saved_position_is_said() -> None:
    """Nothing comes any more that would show the hole: the end of the tape does."""
    tape, factory = MemoryTape(), TapeFactory(CODE)
    tape.push(factory.baseline())
    async with subscribe(tape, CODE) as subscription:
        await anext(subscription)
        position = subscription.position
    tape.lose(factory.change())
    async with listening(subscribe(tape, CODE, position=position)) as listener:
        await listener.told("resync", timeout_s=5)


async def test_a_position_keeps_what_was_told_of_codes_that_were_silent_since() -> None:
    """Saved, resumed, and saved again before anything came of them."""
    tape = MemoryTape()
    for code in (CODE, "HK.00005"):
        tape.trade(code, "UBS", bought=1000)
    async with listening(subscribe(tape, [CODE, "HK.00005"])) as listener:
        await listener.told("state", "state")
        saved = listener.tape.position
    tape.disconnect()
    async with subscribe(tape, [CODE, "HK.00005"], position=saved) as subscription:
        assert (await anext(subscription)).kind == "disconnected"
        assert subscription.position == saved


async def test_a_tape_can_go_away_and_come_back() -> None:
    """What happened meanwhile is told after it."""
    tape = MemoryTape()
    tape.trade(CODE, "UBS", bought=1000)
    async with listening(subscribe(tape, CODE)) as listener:
        await listener.told("state")
        tape.disconnect("gone")
        await listener.told("state", "disconnected")
        tape.trade(CODE, "UBS", bought=1000)
        tape.reconnect()
        await listener.told("state", "disconnected", "connected", "change")


async def test_statuses_and_wants() -> None:
    """What publishers say, and what they are asked for."""
    tape = MemoryTape()
    tape.status("market", "HK", "open")
    async with listening(subscribe(tape, CODE, weight=2)) as listener:
        await listener.told("status")
        assert tape.wants[CODE].weight == 2
        tape.status("code", CODE, "suspended", "the gateway fails")
        await listener.told("status", "status")
    assert tape.wants == {}
    assert listener.events[-1] == Status("status", "code", CODE, "suspended", "the gateway fails")


async def test_the_tape_outlives_its_subscriptions() -> None:
    """A restart of the strategy under test: it goes on where it was."""
    tape = MemoryTape()
    tape.trade(CODE, "UBS", bought=1000)
    async with subscribe(tape, CODE) as subscription:
        await anext(subscription)
        position = subscription.position
    tape.trade(CODE, "UBS", bought=1000)
    async with listening(subscribe(tape, CODE, position=position)) as listener:
        await listener.told("change")


def test_a_change_that_follows_from_nothing_is_refused() -> None:
    """The mistake is the test's, so it is told there."""
    factory = TapeFactory(CODE)
    factory.baseline()
    with pytest.raises(ApplyError, match="does not follow on from what was pushed"):
        MemoryTape().push(factory.change())


def test_a_script_may_push_from_its_own_thread() -> None:
    """Beside the thread that reads for it."""
    tape = MemoryTape()
    tape.trade(CODE, "UBS", bought=1000)
    with subscribe_sync(tape, CODE) as subscription:
        assert subscription.next(timeout=10) is not None
        for _ in range(50):
            tape.trade(CODE, "UBS", bought=1000)
            event = subscription.next(timeout=10)
            assert event is not None
            assert event.kind == "change"
