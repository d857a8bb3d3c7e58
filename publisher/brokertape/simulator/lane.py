"""One direction of a link whose messages take their time."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_UNDER_WAY = 256


class Lane(Generic[T]):
    """Messages come out in the order they went in, each no sooner than `delay_s()` after it went in.

    A full lane lets `put` wait, so that in the end the sender's socket fills up; `put_nowait` says no instead.
    """

    def __init__(self, delay_s: Callable[[], float]) -> None:
        self._delay_s = delay_s
        self._queue: asyncio.Queue[tuple[float, T]] = asyncio.Queue(MAX_UNDER_WAY)

    async def put(self, message: T) -> None:
        """Send a message on its way."""
        await self._queue.put(self._stamped(message))

    def put_nowait(self, message: T) -> bool:
        """Send a message on its way if there is room; whether there was."""
        if self._queue.full():
            return False
        self._queue.put_nowait(self._stamped(message))
        return True

    async def get(self) -> T:
        """The next message, when it arrives."""
        due_s, message = await self._queue.get()
        wait_s = due_s - asyncio.get_running_loop().time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        return message

    def _stamped(self, message: T) -> tuple[float, T]:
        return asyncio.get_running_loop().time() + self._delay_s(), message
