"""How a run of `brokertape history` gets on: a bar on a terminal, else a line of the log now and then."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from brokertape.publisher.history import HistoryFiller, Tally
from brokertape.tape.tasks import end_tasks

logger = logging.getLogger("brokertape.cli.history")

FRAME_EVERY_S = 0.25
LINE_EVERY_S = 30.0
WAITS_AFTER_S = 5.0  # without a request it is not its own pace that it waits for


@asynccontextmanager
async def shown(filler: HistoryFiller, spacing_s: float) -> AsyncIterator[None]:
    """Show on standard error how `filler` gets on. `spacing_s`: how far apart its requests leave at best."""
    console = Console(stderr=True)
    pace = Pace(spacing_s)
    show = _show_bar(filler, pace, console) if console.is_terminal else _show_lines(filler, pace)
    showing = asyncio.create_task(show)
    try:
        yield
    finally:
        await end_tasks([showing])


class Pace:
    """How long the rest of a run takes if it need not stand back, and whether it does."""

    def __init__(self, spacing_s: float) -> None:
        self._spacing_s = spacing_s
        self._asked = 0
        self._asked_at_s: float | None = None

    def text(self, tally: Tally, now_s: float) -> str:
        """In words, at a moment of a steady clock."""
        if self._asked_at_s is None or tally.asked != self._asked:
            self._asked, self._asked_at_s = tally.asked, now_s
        if tally.left and now_s - self._asked_at_s > WAITS_AFTER_S + self._spacing_s:
            return "waiting: the live list goes first"
        minutes, seconds = divmod(round(tally.left * self._spacing_s), 60)
        return f"{minutes}:{seconds:02d} left at the best"


async def _show_bar(filler: HistoryFiller, pace: Pace, console: Console) -> None:
    columns = (TextColumn("past days"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)
        while True:
            tally = filler.tally
            done = tally.wanted - tally.left
            text = pace.text(tally, time.monotonic())
            progress.update(task, total=tally.wanted or None, completed=done, description=text)
            await asyncio.sleep(FRAME_EVERY_S)


async def _show_lines(filler: HistoryFiller, pace: Pace) -> None:
    next_line_s = time.monotonic() + LINE_EVERY_S
    while True:
        await asyncio.sleep(FRAME_EVERY_S)
        text = pace.text(filler.tally, now_s := time.monotonic())
        if now_s >= next_line_s:
            next_line_s = now_s + LINE_EVERY_S
            tally = filler.tally
            logger.info("past days: %d of %d, %s", tally.wanted - tally.left, tally.wanted, text)
