"""The tape of a replay: stored events as they were, on a prefix of its own, with a mark that says what it is.

    <prefix>:x:replay        hash    run, begin, end: made by a replay, and which; written first and deleted last
    <prefix>:x:replay:lease  string  the run that writes it now; expires

Books, entries and watermarks are what a publisher would have written, with the stamps of then.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from brokertape.publisher.clock import SystemClock
from brokertape.publisher.commit import BookStore, Conflict
from brokertape.publisher.feed import Feed
from brokertape.publisher.patience import Patience
from brokertape.publisher.step import Append, Touch
from brokertape.publisher.watch import open_tape
from brokertape.tape.book import Book, Snapshot
from brokertape.tape.connection import RedisClient, Script, store_errors
from brokertape.tape.diff import repeated_names
from brokertape.tape.errors import TapeTaken
from brokertape.tape.events import TapeEvent, WatermarkEntry
from brokertape.tape.keys import Keys
from brokertape.tape.meta import read_meta
from brokertape.tape.rows import Row

logger = logging.getLogger("brokertape.publisher.replay_tape")

LEASE_S = 5.0  # a killed replay holds its tape for so long
LEASE_GRACE_S = 1.0  # whoever wants the tape of a killed one waits for so much longer
RENEW_EVERY_S = LEASE_S / 3
PATIENCE_S = 30.0  # a Redis that is away for longer ends the replay
WATERMARK_MS = 5000  # of the time that is replayed


# In one step: a run that is frozen between looking and writing must not take the lease of its successor.
_RENEW = Script("""
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])  -- nobody's: we were stopped for long, and nobody came
return 1
""")
_LET_GO = Script("return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0")


class MarketClock(SystemClock):
    """Its wall clock stands where the replay has come to."""

    def __init__(self, at: int) -> None:
        self.at = at

    def now_ms(self) -> int:
        """ms since 1970."""
        return self.at


@dataclass(frozen=True, slots=True)
class Run:
    """One replay: its name, and what it plays, from `begin` to `end` (ms since 1970)."""

    name: str
    begin: int
    end: int

    @classmethod
    def new(cls, begin: int, end: int) -> "Run":
        """One that nobody has seen before: ids of its statuses must not be those of an earlier one."""
        return cls(f"replay-{uuid.uuid4().hex[:12]}", begin, end)


async def claim(client: RedisClient, keys: Keys, run: Run, *, may_replace: bool) -> "ReplayTape":
    """An empty tape for `run`, and nobody else's.

    With `may_replace` the tape of an earlier replay is deleted first; one that was just killed is waited for.

    Raises:
        TapeTaken: There is a tape already that may not be deleted, or somebody is writing it.
        StoreError: Redis does not answer or refuses.
    """
    tape = ReplayTape(client, keys, run)
    await _check_free(client, keys, may_replace=may_replace)
    await _take_lease(client, keys, run)
    await _check_free(client, keys, may_replace=may_replace)  # whoever held the lease may have made one meanwhile
    await _delete(client, keys.prefix)
    await _renew(client, _lease(keys), run.name)  # a large one takes its time
    with store_errors():
        await client.hset(_mark(keys), mapping={"run": run.name, "begin": run.begin, "end": run.end})
    await open_tape(client, keys)
    return tape


class ReplayTape:
    """Writes one code's events after the other. A Redis that is away for a moment is waited for.

    Raises:
        TapeTaken: Somebody else writes the tape, or Redis was restarted in the middle: what it lost cannot be told.
        StoreError: Redis does not answer for long, or refuses.
    """

    def __init__(self, client: RedisClient, keys: Keys, run: Run) -> None:
        self._client = client
        self._keys = keys
        self._run = run
        self._store = BookStore(client, keys)
        self._clock = MarketClock(run.begin)
        source = f"/replay/{run.name}"
        self._feed = Feed(client, keys, self._clock, publisher=run.name, source=source)
        self._patience = Patience(SystemClock(), logger, PATIENCE_S)
        self._books: dict[str, Book] = {}
        self._marks: dict[str, WatermarkEntry] = {}  # what was seen since the last watermark
        self._marked_at = run.begin

    async def begin(self, reason: str) -> None:
        """Say that it begins, and what it is."""
        await self._patience.wait_for(lambda: self._feed.status("publisher", self._run.name, "joined", reason))

    async def append(self, event: TapeEvent, payload: bytes, rows: tuple[Row, ...], at: int) -> None:
        """`event`, byte for byte as in `payload`, and the book with the `rows` it led to, in one step; `at` in ms."""
        await self._move_to(at)
        code, held = event.data.code, self._books.get(event.data.code)
        await self._commit(held, Append(event, _book_after(held, event, rows), payload))
        self._marks.pop(code, None)

    async def see(self, code: str, at: int) -> None:
        """The list of `code` was looked at, at `at` (ms), and was as it was."""
        await self._move_to(at)
        held = self._books[code]
        await self._commit(held, Touch(replace(held, asked_at=at, observed_at=at)))
        self._marks[code] = WatermarkEntry(observed_at=at, data_time=held.data_time, epoch=held.epoch, seq=held.seq)

    async def rest(self) -> None:
        """Nothing comes for a while: what was seen is told now."""
        await self._send_marks()

    async def end(self, reason: str) -> None:
        """Say that nothing more comes, and let go of the tape."""
        await self._send_marks()
        await self._feed.status("publisher", self._run.name, "left", reason)
        with store_errors():
            await _LET_GO.run(self._client, [_lease(self._keys)], [self._run.name])

    async def keep(self) -> None:
        """Hold the tape until cancelled."""
        lease, name = _lease(self._keys), self._run.name
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            await self._patience.wait_for(lambda: _renew(self._client, lease, name))

    async def _commit(self, held: Book | None, step: Append | Touch) -> None:
        result = await self._patience.wait_for(lambda: self._store.commit(held, step))
        if isinstance(result, Conflict):
            raise TapeTaken(
                f"the replay on tape {self._keys.prefix!r} cannot go on: somebody else wrote there, or Redis was "
                "restarted; begin again with --replace"
            )
        self._books[step.book.code] = result.book

    async def _move_to(self, at: int) -> None:
        """Let time pass, and with it the moment for a watermark."""
        if at - self._marked_at >= WATERMARK_MS:
            await self._send_marks()
        self._clock.at = max(self._clock.at, at)

    async def _send_marks(self) -> None:
        if self._marks:
            marks, self._marks, self._marked_at = self._marks, {}, self._clock.at
            await self._patience.wait_for(lambda: self._feed.watermark(marks))


def _book_after(held: Book | None, event: TapeEvent, rows: Sequence[Row]) -> Book:
    """The book that a publisher would have written; entry id and server are the commit's to fill in."""
    data = event.data
    is_same_date = held is not None and held.trading_date == data.trading_date
    before = held.repeated if held is not None and is_same_date else ()
    data_time = held.data_time if held is not None and is_same_date and data.data_time is None else data.data_time
    return Book(
        epoch=data.epoch,
        seq=data.seq,
        entry_id="",
        commit=uuid.uuid4().hex,
        server="",
        asked_at=data.observed_at,
        observed_at=data.observed_at,
        data_time=data_time,
        hash=data.hash,
        repeated=tuple(sorted(repeated_names(rows).union(before))),
        snapshot=Snapshot(code=data.code, trading_date=data.trading_date, rows=tuple(rows)),
    )


async def _check_free(client: RedisClient, keys: Keys, *, may_replace: bool) -> None:
    with store_errors():
        is_replay = bool(await client.exists(_mark(keys)))
    is_there = is_replay or await read_meta(client, keys.prefix) is not None
    if is_there and not is_replay:
        raise TapeTaken(f"tape {keys.prefix!r} was not made by a replay: choose another --prefix")
    if is_there and not may_replace:
        raise TapeTaken(
            f"there is a tape {keys.prefix!r} of an earlier replay: delete it with --replace, or choose another "
            "--prefix"
        )
    with store_errors():
        is_published = bool(await client.zcount(keys.publishers, time.time_ns() // 1_000_000, "+inf"))
    if is_published:
        raise TapeTaken(f"a publisher is writing tape {keys.prefix!r}: choose another --prefix")


async def _take_lease(client: RedisClient, keys: Keys, run: Run) -> None:
    """Become the one who writes; one who was killed a moment ago is waited for."""
    deadline = time.monotonic() + LEASE_S + LEASE_GRACE_S
    while True:
        with store_errors():
            if await client.set(_lease(keys), run.name, nx=True, px=round(LEASE_S * 1000)):
                return
        if time.monotonic() > deadline:
            raise TapeTaken(f"another replay is writing tape {keys.prefix!r}: let it end, or choose another --prefix")
        await asyncio.sleep(0.1)


async def _renew(client: RedisClient, lease: str, name: str) -> None:
    with store_errors():
        is_ours = await _RENEW.run(client, [lease], [name, round(LEASE_S * 1000)])
    if not is_ours:
        raise TapeTaken("another replay has taken over the tape")


async def _delete(client: RedisClient, prefix: str) -> None:
    """Everything that a replay and the workers on it leave; what subscribers ask for stays theirs.

    No other tape's keys look like these: a prefix holds no braces.
    """
    plain = Keys(prefix)
    with store_errors():
        async for key in client.scan_iter(match=f"{prefix}:{{*}}:*", count=1000):
            await client.unlink(key)
        for name in (plain.feed, plain.status, plain.meta, _mark(plain)):
            await client.unlink(name)


def _mark(keys: Keys) -> str:
    return keys.private("replay")


def _lease(keys: Keys) -> str:
    return keys.private("replay:lease")
