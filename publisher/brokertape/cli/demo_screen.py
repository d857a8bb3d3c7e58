"""What the demo shows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich import box
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from brokertape.cli.book_table import age_text, book_table
from brokertape.subscriber import BookView


@dataclass(frozen=True, slots=True)
class DemoState:
    """The demo at a moment (`now`, ms since 1970)."""

    now: int
    elapsed_s: float
    budget_used: int
    budget_limit: int
    polls: int = 0
    stored: int = 0
    past_days: int = 0
    books: Mapping[str, BookView] = field(default_factory=dict)
    lines: Sequence[str] = ()

    @property
    def events(self) -> int:
        """Events on the tape: every code is in its first epoch."""
        return sum(book.seq for book in self.books.values())

    @property
    def busiest(self) -> str | None:
        """The code with the most events."""
        return max(self.books, key=lambda code: self.books[code].seq, default=None)

    @property
    def oldest_ms(self) -> int:
        """How long ago the code was seen that was not seen for longest."""
        return max((self.now - book.observed_at for book in self.books.values()), default=0)


def demo_view(state: DemoState, ends: str) -> RenderableType:
    """The whole screen; `ends` says how the demo ends."""
    busiest = state.busiest
    parts: list[RenderableType] = [Text(f"{summary(state)}; {ends}", "bold"), _budget_bar(state)]
    if busiest is not None:
        parts.append(book_table(busiest, state.books[busiest], state.now))
    lines = Text("\n".join(state.lines), no_wrap=True, overflow="ellipsis")
    parts += [_freshness_table(state), lines]  # what gives way on a low terminal comes last
    return Group(*parts)


def summary(state: DemoState) -> str:
    """The counts in one line."""
    return (
        f"{state.elapsed_s:.0f} s: {len(state.books)} codes, {state.polls} polls, {state.events} events, "
        f"{state.stored} stored, {state.past_days} past days, budget {state.budget_used} of {state.budget_limit}, "
        f"longest unseen {age_text(state.oldest_ms)}"
    )


def _budget_bar(state: DemoState) -> RenderableType:
    bar = Table.grid(padding=(0, 1))
    bar.add_row("budget", ProgressBar(state.budget_limit, state.budget_used, width=state.budget_limit))
    return bar


def _freshness_table(state: DemoState) -> Table:
    """Codes in four columns of three, each with its age and its events."""
    cells = [
        Text(f"{code} {age_text(state.now - book.observed_at):>5} #{book.seq:<4}")
        for code, book in sorted(state.books.items())
    ]
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False, title="Seen, last event", title_justify="left")
    for start in range(0, len(cells), 4):
        table.add_row(*cells[start : start + 4])
    return table
