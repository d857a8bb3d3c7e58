"""How a replay, or a trial of rules, gets on: a bar in market time on a terminal, else a line of the log."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from brokertape.cli.player import Progress
from brokertape.tape.market_time import HKT
from brokertape.tape.tasks import end_tasks

logger = logging.getLogger("brokertape.cli.replay")

FRAME_EVERY_S = 0.25
LINE_EVERY_S = 30.0


@asynccontextmanager
async def shown(progress: Progress, begin: int, end: int, done: str = "replayed") -> AsyncIterator[None]:
    """Show on standard error how far a stretch from `begin` to `end` (ms since 1970) is `done`."""
    console = Console(stderr=True)
    show = _show_bar(progress, begin, end, done, console) if console.is_terminal else _show_lines(progress, begin, done)
    showing = asyncio.create_task(show)
    try:
        yield
    finally:
        await end_tasks([showing])


def market_time(at: int) -> str:
    """A moment (ms since 1970) as the market's calendar and clock show it."""
    return datetime.fromtimestamp(at / 1000, HKT).strftime("%Y-%m-%d %H:%M:%S")


def where(at: int | None, begin: int) -> str:
    """How far it is, in words."""
    return "the lists before it" if at is None or at < begin else market_time(at)


async def _show_bar(progress: Progress, begin: int, end: int, done: str, console: Console) -> None:
    columns = (TextColumn(done), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bar(*columns, TextColumn("{task.description}"), console=console, transient=True) as bar:
        task = bar.add_task("", total=max(1, end - begin))
        while True:
            bar.update(task, completed=max(0, (progress.at or 0) - begin), description=where(progress.at, begin))
            await asyncio.sleep(FRAME_EVERY_S)


async def _show_lines(progress: Progress, begin: int, done: str) -> None:
    while True:
        await asyncio.sleep(LINE_EVERY_S)
        logger.info("%s up to %s", done, where(progress.at, begin))
