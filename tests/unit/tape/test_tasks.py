"""Doing several things at once, and ending them together."""

import asyncio

import pytest

from brokertape.tape.tasks import run_all


async def fail(error: BaseException) -> None:
    """Fail with it, a moment later."""
    await asyncio.sleep(0)
    raise error


async def test_all_are_done() -> None:
    """It returns with the last of them."""
    done: list[int] = []

    async def work(number: int) -> None:
        for _ in range(number):
            await asyncio.sleep(0)
        done.append(number)

    await run_all(work(number) for number in (3, 1, 2))
    assert sorted(done) == [1, 2, 3]
    await run_all([])


@pytest.mark.parametrize(
    ("error", "raised", "text"),
    [
        (ValueError("no"), ValueError, "no"),
        (asyncio.CancelledError(), RuntimeError, "was cancelled from within"),  # a pool that was closed, say
    ],
)
async def test_one_that_fails_ends_the_others(error: BaseException, raised: type[Exception], text: str) -> None:
    """At once, though they would go on for ever."""
    ended = asyncio.Event()

    async def go_on() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(raised, match=text):
        async with asyncio.timeout(10):
            await run_all([go_on(), fail(error)])
    assert ended.is_set()
