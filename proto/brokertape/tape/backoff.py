"""How long to wait before the next try."""

import asyncio
import random
from collections.abc import Callable, Iterator

SHORTEST_S = 0.05
LONGEST_S = 5.0


def backoff(rand: Callable[[], float] = random.random) -> Iterator[float]:
    """Delays in seconds, without end: doubling to `LONGEST_S`, each cut by up to half so that processes lose step."""
    ceiling_s = SHORTEST_S
    while True:
        yield ceiling_s * (1 - rand() / 2)
        ceiling_s = min(2 * ceiling_s, LONGEST_S)


async def is_set_within(stop: asyncio.Event, seconds: float) -> bool:
    """Sleep that `stop` ends; says whether it did."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True
