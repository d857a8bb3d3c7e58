"""A handler and its settings, ready to run: what `@worker(group="mine")` makes of a function."""

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from typing import Generic, ParamSpec

from brokertape.tape.connection import connect, redact
from brokertape.tape.keys import DEFAULT_PREFIX, MAX_PARTITIONS
from brokertape.workers.channel import HISTORY, TAPE, Channel
from brokertape.workers.counts import WorkerCounts, WorkerState
from brokertape.workers.delivery import BooksHandler, Delivery, E, Handler
from brokertape.workers.endpoint import Address, serve_endpoint
from brokertape.workers.meta import find_tape
from brokertape.workers.positions import MemoryPositions, Positions
from brokertape.workers.process import settle_memory
from brokertape.workers.settings import WorkerSettings
from brokertape.workers.worker import Worker

READ_MARGIN_S = 4.0  # a read may be blocked for `block_ms`; past this much more, the connection is dead

P = ParamSpec("P")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

log = logging.getLogger("brokertape.workers")


class Service(Generic[E]):
    """A handler that can be run as a worker. Called, it is the handler: so tests may use it without any Redis.

    Args:
        handler: Makes the effect of a batch durable.
        settings: Group, consumer name and limits.
        channel: What it reads: `TAPE` or `HISTORY`.
        counts: To count into; new ones unless given.
    """

    def __init__(
        self, handler: Handler[E], settings: WorkerSettings, channel: Channel[E], counts: WorkerCounts | None = None
    ) -> None:
        self.handler = handler
        self.settings = settings
        self.channel = channel
        self.counts = counts or WorkerCounts()
        self.state = WorkerState()
        self._books_handler: BooksHandler | None = None

    @property
    def labels(self) -> tuple[str, str]:
        """Group and channel."""
        return self.settings.group, self.channel.name

    async def __call__(self, batch: Sequence[Delivery[E]], /) -> None:
        """What the handler does."""
        await self.handler(batch)

    def books(self, handler: BooksHandler) -> BooksHandler:
        """Decorator of what takes the books first: needed, and only called, with the start `baseline`."""
        self._books_handler = handler
        return handler

    def run(
        self,
        redis_url: str,
        *,
        prefix: str = DEFAULT_PREFIX,
        positions: Positions | None = None,
        endpoint: Address | None = None,
    ) -> None:
        """Work until Ctrl-C or SIGTERM, which end it in order: what is in hand is finished and acknowledged.

        Args and errors as of `serve`; beside them:
            endpoint: `(host, port)` at which metrics and health are served, as by `serve_endpoint`.
        """
        settle_memory()
        asyncio.run(self._run(redis_url, prefix, positions, endpoint))

    async def _run(self, redis_url: str, prefix: str, positions: Positions | None, endpoint: Address | None) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def ask_to_end() -> None:
            stop.set()
            for number in _SIGNALS:  # the next one gets the system's own: an end at once
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_DFL)

        for number in _SIGNALS:
            loop.add_signal_handler(number, ask_to_end)
        async with serve_endpoint(endpoint, [self]):
            await self.serve(redis_url, stop, prefix=prefix, positions=positions)

    async def serve(
        self,
        redis_url: str,
        stop: asyncio.Event,
        *,
        prefix: str = DEFAULT_PREFIX,
        positions: Positions | None = None,
    ) -> None:
        """Work until `stop` is set. A tape or a Redis that is not there yet is waited for.

        Args:
            redis_url: Where the tape is; see `tape.connection.connect`.
            stop: Ends it.
            prefix: The tape's key prefix.
            positions: Where the group's progress is remembered, beside the effect; by default in this process' memory:
                then a group that is lost while no worker runs begins where the settings say.

        Raises:
            StoreRefused, TapeMismatch, InvalidKeys: Redis or the tape cannot be used.
            SinkBroken: The handler says that it never can.
            ValueError: The start `baseline` without a handler of books.
        """
        if self.settings.begins_with_books and (self._books_handler is None or self.channel is not TAPE):
            raise ValueError("start = 'baseline' needs a worker on the tape with a handler of books: @NAME.books")
        client = connect(
            redis_url,
            command_timeout_s=self.settings.block_ms / 1000 + READ_MARGIN_S,
            max_connections=3 * MAX_PARTITIONS,  # a blocked reader a partition, and its commands
        )
        try:
            keys = await find_tape(client, prefix, stop)
            if keys is None:
                return
            log.info("group %r reads the %s of %r at %s", *self._names(prefix, redis_url))
            worker = Worker(
                client,
                keys,
                self.channel,
                self.handler,
                books_handler=self._books_handler,
                positions=positions or MemoryPositions(),
                settings=self.settings,
                counts=self.counts,
                state=self.state,
            )
            await worker.run(stop)
        finally:
            await client.aclose()

    def _names(self, prefix: str, redis_url: str) -> tuple[str, str, str, str]:
        return self.settings.group, self.channel.name, prefix, redact(redis_url)


def _decorator(
    channel: Channel[E], settings: Callable[P, WorkerSettings]
) -> Callable[P, Callable[[Handler[E]], Service[E]]]:
    """`worker(**settings)`, typed as `WorkerSettings` is, for a channel."""

    def decorate(*args: P.args, **kwargs: P.kwargs) -> Callable[[Handler[E]], Service[E]]:
        made = settings(*args, **kwargs)
        return lambda handler: Service(handler, made, channel)

    return decorate


worker = _decorator(TAPE, WorkerSettings)
"""Decorator that makes a worker on the tape of a handler; it takes what `WorkerSettings` takes."""

history_worker = _decorator(HISTORY, WorkerSettings)
"""Likewise, of a handler of `Delivery[HistoryEvent]`, on the history stream."""
