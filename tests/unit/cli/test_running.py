"""Commands that are told to end."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from brokertape.cli.running import run, unless_stopped
from brokertape.tape.tasks import end_tasks


@pytest.fixture(autouse=True)
def signal_handlers() -> Iterator[None]:
    """A command leaves the signals to the system; this process goes on."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_for_an_end_in_order(number: signal.Signals) -> None:
    """What the command says at its end is its exit code; the next signal is the system's own."""

    async def command(stop: asyncio.Event) -> int:
        os.kill(os.getpid(), number)
        await stop.wait()
        assert signal.getsignal(number) is signal.SIG_DFL
        return 7

    assert run(command) == 7


def test_a_command_that_says_nothing_is_well() -> None:
    """It ends with exit code 0."""

    async def command(_stop: asyncio.Event) -> None:
        return None

    assert run(command) == 0


async def test_short_work_gives_its_own_code() -> None:
    """Unless it is stopped before."""

    async def work() -> int:
        return 3

    assert await unless_stopped(work(), asyncio.Event()) == 3


async def test_short_work_is_cut_short() -> None:
    """And the exit code says so."""
    stop = asyncio.Event()
    stop.set()

    async def work() -> int:
        await asyncio.Event().wait()
        return 3

    assert await unless_stopped(work(), stop) == 130


async def test_work_that_swallows_a_cancellation_is_asked_again() -> None:
    """As a library below may, which timed out at that very moment."""
    swallowed = 0

    async def work() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 2:
                    raise

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end_tasks([task])
    assert task.cancelled()
