"""What waits between reading and handling."""

import asyncio

import pytest

from brokertape.subscriber.buffer import Buffer, End, WhenSlow, buffer_for
from brokertape.subscriber.events import Connection, Event, Freshness, State, Status, Update
from support.tape_factory import TapeFactory

POLICIES: tuple[WhenSlow, ...] = ("block", "conflate")


def an_update(factory: TapeFactory) -> Update:
    """A change of the factory's code."""
    return Update("change", factory.code, factory.change(), "1-0", None)


async def everything_in(buffer: Buffer) -> list[Event]:
    """What waits, until the end."""
    buffer.end(End(None))
    taken: list[Event] = []
    while not isinstance(event := await buffer.get(), End):
        taken.append(event)
    return taken


async def test_a_blocking_buffer_keeps_order_and_makes_the_reader_wait() -> None:
    """The third event of a buffer of two waits until one is taken."""
    buffer = buffer_for("block", 2)
    factory = TapeFactory()
    events = [an_update(factory) for _ in range(3)]
    await buffer.put(events[0])
    await buffer.put(events[1])
    putting = asyncio.create_task(buffer.put(events[2]))
    await asyncio.sleep(0)
    assert not putting.done()
    assert await buffer.get() is events[0]
    await putting
    assert await everything_in(buffer) == events[1:]


async def test_a_conflating_buffer_keeps_one_thing_of_each_kind() -> None:
    """Updates of a code become one book, statuses and ages their latest; who waits longest comes first."""
    buffer = buffer_for("conflate", 1)
    one, other = TapeFactory("HK.00700"), TapeFactory("HK.00005")
    for event in (
        an_update(one),
        Freshness("stale", "HK.00700", 31.0),
        alone := an_update(other),
        Freshness("fresh", "HK.00700", 1.0),
        an_update(one),
        Status("status", "market", "HK", "lunch", None),
        Status("status", "market", "HK", "open", None),
        Connection("disconnected", "gone"),
        Connection("connected"),
        an_update(one),
    ):
        await buffer.put(event)
    assert await everything_in(buffer) == [
        State("conflated", "HK.00700", None, None, skipped=3),
        Freshness("fresh", "HK.00700", 1.0),
        alone,
        Status("status", "market", "HK", "open", None),
        Connection("connected"),
    ]


@pytest.mark.parametrize("before", [True, False])
async def test_conflating_does_not_hide_a_hole(before: bool) -> None:
    """A resync among the merged updates stays one."""
    buffer = buffer_for("conflate", 1)
    hole = State("resync", "HK.00700", None, "trimmed")
    update = an_update(TapeFactory())
    for event in (hole, update) if before else (update, hole):
        await buffer.put(event)
    assert await everything_in(buffer) == [State("resync", "HK.00700", None, "trimmed", skipped=1)]


@pytest.mark.parametrize("policy", POLICIES)
async def test_taking_that_is_cancelled_takes_nothing(policy: WhenSlow) -> None:
    """The event that came meanwhile is still there."""
    buffer = buffer_for(policy, 2)
    taking = asyncio.create_task(buffer.get())
    await asyncio.sleep(0)
    event = an_update(TapeFactory())
    await buffer.put(event)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert await everything_in(buffer) == [event]


@pytest.mark.parametrize("policy", POLICIES)
async def test_the_first_end_counts_and_stays(policy: WhenSlow) -> None:
    """Whoever asks again is told again."""
    buffer = buffer_for(policy, 2)
    taking = asyncio.create_task(buffer.get())
    await asyncio.sleep(0)
    buffer.end(first := End(ValueError("why")))
    buffer.end(End(None))
    assert await taking is first
    assert await buffer.get() is first
