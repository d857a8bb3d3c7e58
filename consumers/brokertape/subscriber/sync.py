"""`subscribe_sync`: a subscription for scripts, notebooks and threads. An event loop of its own runs it in a thread.

That thread keeps asking for the codes while the script sleeps. An event is taken there when somebody asks for one,
not before, so that books and position are those after the last event given out. What the threads share are queues and
sets whose operations are atomic, and no locks: Ctrl-C can come anywhere, and would leave a lock held.
"""

import asyncio
import inspect
import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self

from brokertape.subscriber.books import Counts
from brokertape.subscriber.events import Event
from brokertape.subscriber.subscription import Subscription, subscribe
from brokertape.subscriber.view import BookView

if TYPE_CHECKING:
    from pandas import DataFrame

P = ParamSpec("P")

log = logging.getLogger("brokertape.subscriber")

CLOSE_TIMEOUT_S = 15.0  # a Redis that hangs is given 2 s for the goodbye and 5 s for the connections

Answer = Event | Exception | None  # None: there was no event in time


@dataclass(eq=False, slots=True)
class _Request:
    """A thread waits for an event."""

    timeout: float | None
    answers: deque[Answer] = field(default_factory=deque)  # the first counts
    is_answered: SimpleQueue[bool] = field(default_factory=SimpleQueue)
    is_given_up: bool = False
    task: asyncio.Task[None] | None = None  # the loop's own
    number: int = 0  # of its answer, in the order they were given

    def give(self, answer: Answer) -> None:
        """Answer it."""
        self.answers.append(answer)
        self.is_answered.put(True)


class SyncSubscription:
    """The live books of some codes, for code without an event loop. Made by `subscribe_sync`.

    Any thread may use it: each event goes to one of those that iterate, books can be read by all. In a notebook,
    waiting for an event holds up the notebook's own loop, as any call that waits.
    """

    def __init__(self, tape: Subscription) -> None:
        self._tape = tape
        self._loop: asyncio.AbstractEventLoop | None = None  # None before it is opened
        self._thread: threading.Thread | None = None  # which the loop runs in
        self._closing = asyncio.Event()
        self._failure: BaseException | None = None  # what the thread ended with
        self._requests: set[_Request] = set()  # of the threads that wait now
        self._given = 0  # answers so far
        self._shown: dict[str | None, int] = {}  # code → number of the last event handed over
        self._left: deque[Event] = deque()  # taken for a thread that gave up at that moment; given out first

    # --- what its owner sees ------------------------------------------------------------------------------------

    def next(self, timeout: float | None = None) -> Event | None:
        """The next event, or None if there is none within `timeout` seconds; None waits for as long as it takes.

        Raises:
            StopIteration: The subscription was closed, here or by another thread.
            StoreRefused: Redis answers, but will not let us.
            TapeMismatch: The tape is of another schema, or was made anew with other partitions.
        """
        request = _Request(timeout)
        try:
            self._requests.add(request)  # before it is sent: whoever ends the loop answers what is here
            self._send(request)
            request.is_answered.get()
            answer = request.answers[0]  # it stays there until it cannot be lost any more
            self._requests.discard(request)
            if isinstance(answer, Exception):
                raise answer
            if answer is not None:
                self._show(request.number, answer)
            return answer
        except BaseException:  # Ctrl-C, or the end
            self._requests.discard(request)
            self._give_up(request)
            raise

    def book(self, code: str) -> BookView | None:
        """The list of `code` after the last event given out; None until there is one. Raises InvalidCode."""
        return self._tape.book(code)

    def frame(self, code: str) -> "DataFrame | None":
        """That list as the vendor's SDK gives it, see `frame`; None until there is one. Raises InvalidCode."""
        return self._tape.frame(code)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes subscribed to; those that are none were refused."""
        return self._tape.codes

    @property
    def position(self) -> dict[str, Any] | None:
        """Where its owner has come to: a small JSON value for `subscribe_sync(position=…)`; None before it has any."""
        return self._tape.position

    @property
    def counts(self) -> Counts:
        """What was read, told and skipped so far."""
        return self._tape.counts

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        event = self.next()
        assert event is not None
        return event

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> Self:
        """Begin. `with` does it too; a notebook has this in one cell and `close` in another."""
        if self._thread is not None:
            raise RuntimeError("a subscription is opened once: call subscribe_sync again")
        is_ready: SimpleQueue[bool] = SimpleQueue()
        self._loop = asyncio.new_event_loop()
        arguments = (self._loop, is_ready)
        self._thread = threading.Thread(target=self._run, args=arguments, name="brokertape", daemon=True)
        self._thread.start()
        try:
            is_ready.get()
        except BaseException:  # Ctrl-C: nobody else can close what was never handed out
            self.close()
            raise
        return self

    def close(self) -> None:
        """End: nothing is read any more, publishers are no longer asked, whoever iterates comes to the end."""
        if self._thread is None:
            return
        self._tell_loop(self._closing.set)
        self._thread.join(CLOSE_TIMEOUT_S)
        if self._thread.is_alive():
            log.warning("the subscription did not end within %s s; its thread is left behind", CLOSE_TIMEOUT_S)
        elif self._failure is not None:
            raise self._failure

    # --- from the callers' threads ------------------------------------------------------------------------------

    def _show(self, number: int, event: Event) -> None:
        """Only now is `event` counted as given out: one that Ctrl-C kept back is not.

        A thread that was slow to come here must not take a code back behind what another was given later.
        """
        subject = getattr(event, "code", None)
        if number > self._shown.get(subject, 0):
            self._shown[subject] = number
            self._tape.show(event)

    def _send(self, request: _Request) -> None:
        if self._loop is None:
            raise RuntimeError("open the subscription first: with subscribe_sync(…) as tape")
        if not self._tell_loop(self._begin, request):
            raise StopIteration

    def _give_up(self, request: _Request) -> None:
        request.is_given_up = True
        self._keep(request)
        self._tell_loop(self._cancel, request)

    def _tell_loop(self, call: Callable[..., None], *arguments: object) -> bool:
        """Have `call` made in the loop's thread; False if it is over."""
        if self._loop is None:
            return False
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            return False
        return True

    # --- in the loop's thread -----------------------------------------------------------------------------------

    def _run(self, loop: asyncio.AbstractEventLoop, is_ready: "SimpleQueue[bool]") -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(self._serve(is_ready))
        except BaseException as error:  # it is raised where the subscription is closed
            self._failure = error
        is_ready.put(False)
        for request in list(self._requests):
            request.give(StopIteration())

    async def _serve(self, is_ready: "SimpleQueue[bool]") -> None:
        async with self._tape:
            is_ready.put(True)
            await self._closing.wait()

    def _begin(self, request: _Request) -> None:
        if self._closing.is_set():
            request.give(StopIteration())
        elif self._left:
            self._answer(request, self._left.popleft())
        else:
            request.task = asyncio.create_task(self._fulfil(request))

    def _cancel(self, request: _Request) -> None:
        if request.task is not None:
            request.task.cancel()

    async def _fulfil(self, request: _Request) -> None:
        try:
            self._answer(request, await self._take(request.timeout))
        finally:
            request.task = None  # not to be cleared away in the other thread, where that could swallow Ctrl-C

    def _answer(self, request: _Request, answer: Answer) -> None:
        self._given += 1
        request.number = self._given
        request.give(answer)
        if request.is_given_up:
            self._keep(request)

    async def _take(self, timeout: float | None) -> Answer:
        """Timed here and not where it is waited for: an event is either in time and given out, or not taken."""
        try:
            async with asyncio.timeout(timeout) as limit:
                return await self._tape.take()
        except StopAsyncIteration:
            return StopIteration()
        except Exception as error:  # it is raised where the event was asked for
            return None if limit.expired() else error

    def _keep(self, request: _Request) -> None:
        """Either side looks after a thread has given up; the answer is there for one of them."""
        with suppress(IndexError):
            answer = request.answers.popleft()
            if answer is not None and not isinstance(answer, Exception):
                self._left.appendleft(answer)


def _synchronous(opens: Callable[P, Subscription]) -> Callable[P, SyncSubscription]:
    """`opens` for code without an event loop: the list of its arguments stays in one place."""

    def subscribe_sync(*args: P.args, **kwargs: P.kwargs) -> SyncSubscription:
        """As `subscribe`, with the same arguments, to be entered with `with` and iterated with `for`.

        Raises:
            StoreRefused, InvalidKeys, InvalidPosition, ValueError: As `subscribe` does.
        """
        return SyncSubscription(opens(*args, **kwargs))

    signature = inspect.signature(opens).replace(return_annotation=SyncSubscription)
    subscribe_sync.__dict__["__signature__"] = signature  # for help() and notebooks
    return subscribe_sync


subscribe_sync = _synchronous(subscribe)
