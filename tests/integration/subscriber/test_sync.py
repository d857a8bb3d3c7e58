"""The synchronous face on a real Redis: scripts, threads, a notebook's loop, Ctrl-C."""

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
import redis as sync_redis

from brokertape.cli.redis_server import RedisServer
from brokertape.subscriber import Event, Update, interest, subscribe, subscribe_sync
from brokertape.subscriber.sync import SyncSubscription
from brokertape.tape.connection import connect
from brokertape.tape.errors import InvalidCode, InvalidPosition, StoreRefused, TapeMismatch
from brokertape.tape.keys import Keys
from support.tape_factory import TapeFactory, create_tape
from support.tape_writer import TapeWriter
from support.waiting import until

CODE = "HK.00700"
SCRIPT = """
import sys, time
from brokertape.subscriber import subscribe_sync

with subscribe_sync(sys.argv[1], "HK.00700") as tape:
    for event in tape:
        print(event.kind, flush=True)
        if sys.argv[2] == "busy":
            time.sleep(60)
"""


class Tape:
    """The tape of one code, written from a test that has no event loop."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.url = server.url
        self.factory = TapeFactory(CODE, epoch=time.time_ns() // 1_000_000)
        self.keys = Keys()

    def write(self, *events: str) -> None:
        """An event of each kind, with the books they lead to."""

        async def act(writer: TapeWriter) -> None:
            for event in events:
                await writer.write(getattr(self.factory, event)())

        asyncio.run(self._with_writer(act))

    async def _with_writer(self, act: Callable[[TapeWriter], Awaitable[None]]) -> None:
        client = connect(self.url)
        await act(TapeWriter(client, await create_tape(client), self.factory))
        await client.aclose()

    def interest(self) -> dict[bytes, float]:
        """Who asks for what, until when (ms)."""
        with sync_redis.Redis.from_url(self.url) as client:
            return dict(client.zrange(self.keys.interest, 0, -1, withscores=True))


@pytest.fixture
def tape(redis_server: RedisServer) -> Tape:
    """A tape with a baseline and two changes."""
    written = Tape(redis_server)
    written.write("baseline", "change", "change")
    return written


def wait_until(condition: Callable[[], object]) -> None:
    """`until`, for a test without an event loop."""
    asyncio.run(until(condition))


def threads() -> list[str]:
    """Names of the subscriptions' threads that run."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("brokertape")]


@contextmanager
def iterating(subscription: SyncSubscription) -> Iterator[list[Event]]:
    """What a thread takes from `subscription` until it comes to the end, which it has to."""
    events: list[Event] = []
    thread = threading.Thread(target=lambda: events.extend(subscription))
    thread.start()
    try:
        yield events
    finally:
        thread.join(10)
        assert not thread.is_alive()


def test_a_script_iterates_and_has_the_book_of_each_event(tape: Tape) -> None:
    """The state first, then changes; book and position are those after the event in hand."""
    with subscribe_sync(tape.url, codes=[CODE], max_age=30) as subscription:
        for event in subscription:
            book = subscription.book(CODE)
            assert book is not None
            assert (book.rows, book.version) == (tape.factory.rows, (tape.factory.epoch, tape.factory.seq))
            assert (subscription.position or {})["codes"] == {CODE: [tape.factory.epoch, tape.factory.seq]}
            if event.kind == "change":
                break
            tape.write("change")
    assert subscription.codes == (CODE,)
    assert subscription.counts.updates == 1
    assert threads() == []


def test_next_gives_an_event_or_none_in_time(tape: Tape) -> None:
    """A wait that ends without an event loses none: it comes with the next call."""
    with subscribe_sync(tape.url, CODE) as subscription:
        assert subscription.next(timeout=5) is not None
        began = time.monotonic()
        assert subscription.next(timeout=0.2) is None
        assert 0.2 <= time.monotonic() - began < 2
        assert subscription.next(timeout=0) is None
        tape.write("change")
        event = subscription.next(timeout=5)
        assert isinstance(event, Update)
        assert event.event.data.seq == tape.factory.seq


def test_events_wait_for_who_asks(tape: Tape) -> None:
    """Books and position do not run ahead of the events that were given out."""
    tape.write("change", "change")
    with subscribe_sync(tape.url, CODE, start="earliest") as subscription:
        seqs = []
        wait_until(lambda: subscription.counts.updates == 5)
        assert subscription.book(CODE) is None
        for _ in range(5):
            event = subscription.next(timeout=10)
            assert isinstance(event, Update)
            seqs.append(event.event.data.seq)
            assert (subscription.position or {})["codes"] == {CODE: [tape.factory.epoch, seqs[-1]]}
        assert subscription.next(timeout=0.5) is None
    assert seqs == [1, 2, 3, 4, 5]


def test_a_saved_position_is_gone_on_from(tape: Tape) -> None:
    """What was written in between comes, and nothing twice."""
    with subscribe_sync(tape.url, CODE) as subscription:
        subscription.next(timeout=5)
        saved = subscription.position
    tape.write("change", "change")
    with subscribe_sync(tape.url, CODE, position=saved) as subscription:
        told = [subscription.next(timeout=5) for _ in range(2)]
        assert subscription.next(timeout=0.2) is None
    assert [event.event.data.seq for event in told if isinstance(event, Update)] == [4, 5]


def test_publishers_are_asked_while_the_script_sleeps(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    """Renewed without anybody taking an event, and taken back at the end."""
    monkeypatch.setattr(interest, "INTEREST_RENEW_S", 0.05)
    with subscribe_sync(tape.url, CODE, name="me"):
        wait_until(tape.interest)
        first = tape.interest()
        assert list(first) == [f"{CODE}|me".encode()]
        wait_until(lambda: tape.interest()[f"{CODE}|me".encode()] > max(first.values()))
    assert tape.interest() == {}


async def test_it_works_under_a_running_loop(tape: Tape) -> None:
    """As in a notebook, whose cells run inside one; opened in one cell and closed in another."""
    subscription = subscribe_sync(tape.url, CODE).open()
    event = subscription.next(timeout=5)
    assert event is not None
    assert event.kind == "state"
    subscription.close()
    assert threads() == []


def test_threads_share_the_events_and_all_read_books(tape: Tape) -> None:
    """Each event goes to one of those that iterate, in order; another thread that closes releases them."""
    with (
        subscribe_sync(tape.url, CODE, start="earliest") as subscription,
        iterating(subscription) as some,
        iterating(subscription) as others,
    ):
        tape.write(*["change"] * 20)
        wait_until(lambda: len(some) + len(others) == 23)
        book = subscription.book(CODE)
        assert book is not None
        assert book.rows == tape.factory.rows
        subscription.close()
    seqs = [[event.event.data.seq for event in events if isinstance(event, Update)] for events in (some, others)]
    assert sorted(seqs[0] + seqs[1]) == list(range(1, 24))
    assert seqs == [sorted(seqs[0]), sorted(seqs[1])]


def test_after_the_end_there_is_nothing_more(tape: Tape) -> None:
    """Iterating ends, taking says so, books stay readable, closing twice is no error."""
    with subscribe_sync(tape.url, CODE) as subscription:
        subscription.next(timeout=5)
        subscription.close()
        assert list(subscription) == []
    with pytest.raises(StopIteration):
        subscription.next(timeout=1)
    assert subscription.book(CODE) is not None
    with pytest.raises(RuntimeError, match="opened once"):
        subscription.open()


def test_what_is_wrong_is_raised_where_it_is_used(tape: Tape) -> None:
    """Arguments at the call, what no waiting helps at the next event, in the caller's thread."""
    with pytest.raises(StoreRefused):
        subscribe_sync("ftp://x", CODE)
    with pytest.raises(InvalidPosition):
        subscribe_sync(tape.url, CODE, start="earliest", since="2026-05-08")
    with pytest.raises(RuntimeError, match="open the subscription first"):
        subscribe_sync(tape.url, CODE).next()
    with sync_redis.Redis.from_url(tape.url) as client:
        client.hset(tape.keys.meta, "schema", "99")
    with subscribe_sync(tape.url, CODE) as subscription:
        with pytest.raises(InvalidCode):
            subscription.book("HK.00005")
        for _ in range(2):
            with pytest.raises(TapeMismatch):
                next(subscription)
    assert threads() == []


@pytest.mark.parametrize("trouble", [signal.SIGKILL, signal.SIGSTOP])
def test_leaving_takes_seconds_though_redis_is_gone(tape: Tape, trouble: signal.Signals) -> None:
    """Dead, or alive and silent; who iterates is released as well."""
    with subscribe_sync(tape.url, CODE) as subscription, iterating(subscription) as events:
        wait_until(lambda: events)
        os.kill(tape.server.pid, trouble)
        began = time.monotonic()
        subscription.close()
        assert time.monotonic() - began < 5
    assert threads() == []


@pytest.mark.parametrize("is_busy", ["waiting", "busy"])
@pytest.mark.parametrize("is_redis_up", [True, False])
def test_ctrl_c_ends_a_script_cleanly(tape: Tape, is_busy: str, is_redis_up: bool) -> None:
    """In the wait or in the loop's body: Python's own traceback of it, and nothing else."""
    command = [sys.executable, "-X", "dev", "-c", SCRIPT, tape.url, is_busy]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "state\n"
    if not is_redis_up:
        tape.server.kill()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT
    assert errors.endswith("KeyboardInterrupt\n")
    assert errors.count("Traceback") == 1
    for noise in ("destroyed", "never", "ignored", "Warning"):
        assert noise not in errors


def test_ctrl_c_in_a_wait_loses_no_event(tape: Tape) -> None:
    """A notebook's cell that was stopped can be run again."""
    with subscribe_sync(tape.url, CODE) as subscription:
        subscription.next(timeout=5)
        for _ in range(3):
            interrupting = threading.Thread(target=interrupt_when_waiting, args=(subscription, threading.get_ident()))
            interrupting.start()
            with pytest.raises(KeyboardInterrupt):
                subscription.next()
            interrupting.join()
        tape.write("change", "change")
        told = [subscription.next(timeout=5) for _ in range(2)]
    assert [event.event.data.seq for event in told if isinstance(event, Update)] == [4, 5]


def interrupt_when_waiting(subscription: SyncSubscription, thread_id: int) -> None:
    """Ctrl-C, once somebody waits for an event."""
    wait_until(lambda: any(request.task for request in subscription._requests))
    signal.pthread_kill(thread_id, signal.SIGINT)


def test_a_script_that_closes_nothing_ends_without_a_word(tape: Tape) -> None:
    """The thread is no reason to stay."""
    program = f"from brokertape.subscriber import subscribe_sync; subscribe_sync({tape.url!r}, {CODE!r}).open().next()"
    command = [sys.executable, "-W", "always", "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_its_arguments_are_those_of_subscribe() -> None:
    """One list, shown by help() as well; only what comes back is another thing."""
    ours, theirs = inspect.signature(subscribe_sync), inspect.signature(subscribe)
    assert ours.parameters == theirs.parameters
    assert ours.return_annotation is SyncSubscription
