"""Running a command: until it is done, or until somebody asks it to end."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from brokertape.cli import INTERRUPTED
from brokertape.cli.sd_notify import told_to_systemd
from brokertape.tape.tasks import end_tasks

Command = Callable[[asyncio.Event], Coroutine[Any, Any, int | None]]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(command: Command) -> int:
    """Run `command` with an event that Ctrl-C and SIGTERM set; its exit code, 0 if it gives none."""
    return asyncio.run(_until_told(command)) or 0


async def _until_told(command: Command) -> int | None:
    stop = asyncio.Event()
    with _signals_set(stop):
        async with told_to_systemd(stop):
            return await command(stop)


@contextlib.contextmanager
def _signals_set(stop: asyncio.Event) -> Iterator[None]:
    """The first signal asks for an end in order; the next one gets the system's own: an end at once."""
    loop = asyncio.get_running_loop()

    def ask_to_end() -> None:
        stop.set()
        give_back()

    def give_back() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)  # Python's own would end in a traceback

    for number in _SIGNALS:
        loop.add_signal_handler(number, ask_to_end)
    try:
        yield
    finally:
        give_back()


async def unless_stopped(work: Coroutine[Any, Any, int], stop: asyncio.Event) -> int:
    """The exit code of `work`; once `stop` is set, `work` is cancelled and the code says so."""
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else INTERRUPTED
    finally:
        await end_tasks([working, stopping])
