"""How long to wait before the next try."""

import asyncio
import time
from itertools import islice

from brokertape.tape.backoff import LONGEST_S, SHORTEST_S, backoff, is_set_within


def test_delays_double_up_to_a_bound() -> None:
    """Without jitter they are the plain doubling series, for ever."""
    delays = list(islice(backoff(lambda: 0.0), 10))
    assert delays[:3] == [SHORTEST_S, 2 * SHORTEST_S, 4 * SHORTEST_S]
    assert delays[-1] == LONGEST_S


def test_jitter_takes_up_to_a_half() -> None:
    """The most that chance can cut leaves half the delay."""
    assert list(islice(backoff(lambda: 1.0), 2)) == [SHORTEST_S / 2, SHORTEST_S]


async def test_stop_ends_a_wait() -> None:
    """A worker that waits a long time still stops at once."""
    stop = asyncio.Event()
    waiting = asyncio.create_task(is_set_within(stop, 60))
    await asyncio.sleep(0)
    began = time.monotonic()
    stop.set()
    assert await waiting
    assert time.monotonic() - began < 1


async def test_a_wait_that_nobody_ends_says_so() -> None:
    """The time passed and stop was not set."""
    assert not await is_set_within(asyncio.Event(), 0.001)
