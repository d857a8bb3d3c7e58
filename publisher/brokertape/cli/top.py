"""`brokertape top CODE`: one book, live."""

import asyncio
from collections import deque

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from brokertape.cli.book_table import book_table
from brokertape.cli.lines import line_of
from brokertape.cli.redis_link import find_keys, open_redis
from brokertape.cli.settings import Settings
from brokertape.subscriber import BookView, Connection, Event, State, Status, Subscription, Update, subscribe
from brokertape.subscriber.redis_source import RedisSource
from brokertape.tape.keys import check_code
from brokertape.tape.market_time import wall_clock_ms

LAST_LINES = 8
REDRAW_S = 0.5  # ages move on without an event


async def top(settings: Settings, stop: asyncio.Event, *, code: str, once: bool = False) -> None:
    """Show the book of `code` until `stop` is set; once, if asked to or if nobody watches.

    Publishers are asked to poll the code for as long as it is shown.
    """
    check_code(code)
    console = Console()
    async with open_redis(settings.redis) as client:
        keys = await find_keys(client, settings.redis)  # one that is not there is said now, not waited for
        source = RedisSource(client, keys)
        if once or not console.is_terminal:
            stored = (await source.books([code])).get(code)
            book = None if stored is None else BookView.of(stored, None, source.now_ms)
            console.print(book_table(code, book, source.now_ms()))
            return
        async with subscribe(source, code) as tape:
            await _show(tape, Screen(code), console, stop)


async def _show(tape: Subscription, screen: "Screen", console: Console, stop: asyncio.Event) -> None:
    with Live(screen.view(None), console=console, auto_refresh=False, screen=True) as live:
        while not stop.is_set():
            try:
                async with asyncio.timeout(REDRAW_S):
                    screen.take(await anext(tape))
            except TimeoutError:
                pass
            live.update(screen.view(tape.book(screen.code)), refresh=True)


class Screen:
    """What is shown of a code: its book, and a line for each of the last things that happened to it."""

    def __init__(self, code: str) -> None:
        self.code = code
        self._lines: deque[str] = deque(maxlen=LAST_LINES)

    def take(self, event: Event) -> None:
        """Something happened."""
        line = _line(event)
        if line is not None:
            self._lines.append(line)

    def view(self, book: BookView | None) -> RenderableType:
        """The book now, and what led to it."""
        return Group(book_table(self.code, book, wall_clock_ms()), Text("\n".join(self._lines)))


def _line(event: Event) -> str | None:
    match event:
        case Update():
            return line_of(event.event)
        case State(kind="resync"):
            return f"the book was read again: {event.reason}"
        case Status(scope="code") | Connection():
            told = event.state if isinstance(event, Status) else event.kind
            return told if event.reason is None else f"{told}: {event.reason}"
        case _:
            return None
