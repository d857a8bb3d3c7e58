"""Broker changes of a brokertape as events of a vn.py EventEngine.

Handlers are registered as for ticks: under the type for all stocks, or under type + symbol for one.
They run in the engine's own thread. vn.py does not catch what they raise: the engine's thread would end.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from threading import Thread

from vnpy.event import Event, EventEngine

from brokertape.subscriber import Event as TapeEvent
from brokertape.subscriber import Freshness, State, Subscription, Update, subscribe

EVENT_BROKER_CHANGE = "eBrokerChange."  # brokers traded; data is an Update with `changes`
EVENT_BROKER_BOOK = "eBrokerBook."  # the list as a whole, which is no trading; data is a State or an Update
EVENT_BROKER_AGE = "eBrokerAge."  # the list became stale, or is fresh again; data is a Freshness
EVENT_BROKER_STATUS = "eBrokerStatus"  # of Redis, gateway, market or a code; data is a Connection or a Status
EVENT_BROKER_ERROR = "eBrokerError"  # the last event, if waiting cannot help; data is the exception

log = logging.getLogger("brokertape.vnpy")


def vt_symbol(code: str) -> str:
    """What vn.py calls `code`: `HK.00700` is `00700.SEHK`."""
    return f"{code.removeprefix('HK.')}.SEHK"


class BrokerBridge:
    """Follows some codes in a thread of its own and puts what it is told into `engine`.

    The queue of `engine` has no bound: handlers that are slower than the tape for long let it grow.

    Raises:
        StoreRefused: The URL cannot be used.
        ValueError: No code, or `max_age` (s) is not above 0.
    """

    def __init__(self, engine: EventEngine, url: str, codes: Iterable[str], *, max_age: float = 30.0) -> None:
        self._engine = engine
        self._tape = subscribe(url, codes, max_age=max_age)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, name="brokertape")
        self._following: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin: the first event of each code is its list as it stands."""
        self._following = self._loop.create_task(_follow(self._tape, self._engine))
        self._thread.start()

    def stop(self) -> None:
        """End and wait until publishers are told that nobody asks for the codes. Call it before the engine's."""
        if self._following is not None:
            self._loop.call_soon_threadsafe(self._following.cancel)
            self._thread.join()
            self._following = None
        self._loop.close()

    def _run(self) -> None:
        assert self._following is not None
        try:
            self._loop.run_until_complete(self._following)
        except asyncio.CancelledError:
            log.info("stopped")
        except Exception as error:  # nobody waits for this thread, so the engine's handlers are told
            log.exception("the subscription has ended")
            self._engine.put(Event(EVENT_BROKER_ERROR, error))


async def _follow(tape: Subscription, engine: EventEngine) -> None:
    async with tape:
        async for event in tape:
            for event_type in _types_of(event):
                engine.put(Event(event_type, event))


def _types_of(event: TapeEvent) -> Iterator[str]:
    if not isinstance(event, Update | State | Freshness):
        yield EVENT_BROKER_STATUS
        return
    general = EVENT_BROKER_AGE if isinstance(event, Freshness) else EVENT_BROKER_BOOK
    if event.kind == "change":
        general = EVENT_BROKER_CHANGE
    yield general
    yield general + vt_symbol(event.code)
