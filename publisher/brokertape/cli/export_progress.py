"""How an export gets on, on standard error: a bar on a terminal, else a line now and then."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

LINE_EVERY_S = 10.0


class Tally:
    """Counts rows and has them shown."""

    def __init__(self, show: Callable[[int, float], None]) -> None:
        self._show = show
        self.rows = 0

    def add(self, rows: int, share: float) -> None:
        """So many rows more; of the span `share` (0 to 1) is behind us."""
        self.rows += rows
        self._show(self.rows, share)


@contextmanager
def shown(table: str) -> Iterator[Tally]:
    """A tally of the rows of `table` that is shown inside the block."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Tally(_Lines(table).show)
        return
    columns = (
        TextColumn(table),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=1.0)
        yield Tally(lambda rows, share: progress.update(task, completed=share, description=f"{rows:,} rows"))


class _Lines:
    """For logs: a line every LINE_EVERY_S."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._next_s = time.monotonic() + LINE_EVERY_S

    def show(self, rows: int, share: float) -> None:
        if (now_s := time.monotonic()) >= self._next_s:
            self._next_s = now_s + LINE_EVERY_S
            sys.stderr.write(f"{self._table}: {rows} rows, {share:.0%}\n")
