"""The seam to Redis: one member of a consumer group over some streams, which are told apart by partition."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from itertools import chain, islice
from typing import Any

from brokertape.tape.connection import RedisClient, Script, run_pipeline, store_errors
from brokertape.tape.errors import StoreRefused, TapeMismatch
from brokertape.tape.keys import Keys
from brokertape.tape.meta import read_meta
from brokertape.tape.start import FIRST_ID
from brokertape.workers.channel import Stream
from brokertape.workers.delivery import Entry
from brokertape.workers.errors import GroupLost
from brokertape.workers.retry import Pending

MAX_BURIED_FIELDS = 64  # Lua cannot unpack thousands, and an entry of ours has four
MAX_ERROR_CHARACTERS = 500
CONSUMER_KNOWN_MS = 3_600_000  # one that holds nothing and was silent for so long is forgotten
_PAGE = 1000

_LUA = resources.files("brokertape.workers")
_CLAIM = Script(_LUA.joinpath("claim.lua").read_text())
_BURY = Script(_LUA.joinpath("bury.lua").read_text())
_SWEEP = Script(_LUA.joinpath("sweep.lua").read_text())

# How servers say that the group is gone: at once, to a blocked reader (Redis 7), and for XGROUP without a stream.
_LOST = ("NOGROUP", "UNBLOCKED", "The XGROUP subcommand requires the key to exist", "no such key")


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a stream and our group on it have come (entry ids), and how much is left to do.

    `pending` entries are held by all its members, `lag` were given to none yet.
    """

    last_generated: str
    last_delivered: str
    pending: int
    lag: int


@dataclass(frozen=True, slots=True)
class Next:
    """Entries that nobody was given before, and the id of the oldest that any member holds, those included."""

    entries: Sequence[Entry]
    oldest_held: str | None

    @property
    def is_next(self) -> bool:
        """Whether nothing older than `entries` is held by anybody."""
        return self.oldest_held is None or (bool(self.entries) and self.oldest_held == self.entries[0].entry_id)


@dataclass(frozen=True, slots=True)
class Claimed:
    """How many entries were taken over, and the ids of those that were trimmed before anybody handled them."""

    count: int
    trimmed: Sequence[str]


@dataclass(frozen=True, slots=True)
class Redelivered:
    """Entries delivered once more, and the ids of those that had been trimmed."""

    entries: Sequence[Entry]
    trimmed: Sequence[str]


class Group:
    """One consumer of one group. Every call raises StoreUnavailable, StoreRefused or GroupLost, nothing of redis-py."""

    def __init__(self, client: RedisClient, keys: Keys, streams: Sequence[Stream], name: str, consumer: str) -> None:
        self._client = client
        self._keys = keys
        self._streams = streams
        self._name = name
        self._consumer = consumer
        self._partitions = {stream.name.encode(): partition for partition, stream in enumerate(streams)}

    @property
    def partitions(self) -> int:
        """How many streams it reads."""
        return len(self._streams)

    async def check_tape(self) -> None:
        """Raise TapeMismatch if the tape was made anew with other partitions: we would not read all of them."""
        keys = await read_meta(self._client, self._keys.prefix)
        if keys is not None and keys != self._keys:
            now, then = keys.partitions, self._keys.partitions
            raise TapeMismatch(f"tape {keys.prefix!r} was made anew with {now} partitions, it had {then}: start again")

    async def standing(self, partition: int) -> Standing | None:
        """Where the group stands on a partition; None when there is no such group."""
        stream = self._streams[partition].name
        try:
            with _group_errors():
                groups = await self._client.xinfo_groups(stream)
                info = await self._client.xinfo_stream(stream)
        except GroupLost:
            return None
        for group in groups:
            if group["name"].decode() == self._name:
                return await self._standing_of(stream, group, info["last-generated-id"].decode())
        return None

    async def _standing_of(self, stream: str, group: Mapping[str, Any], last_generated: str) -> Standing:
        last_delivered, lag = group["last-delivered-id"].decode(), group.get("lag")
        if lag is None:  # unknown once entries were deleted: then whether there is anything
            with _group_errors():
                lag = int(bool(await self._client.xrange(stream, f"({last_delivered}", "+", count=1)))
        return Standing(last_generated, last_delivered, group["pending"], lag)

    async def last_id(self, partition: int) -> str:
        """The last id the stream generated; that before every entry if there is no stream."""
        try:
            with _group_errors():
                info = await self._client.xinfo_stream(self._streams[partition].name)
        except GroupLost:
            return FIRST_ID
        return str(info["last-generated-id"].decode())

    async def create(self, partition: int, after_id: str) -> None:
        """Create the group, to read after `after_id`, and the stream if there is none. A group that is there stays."""
        try:
            with _group_errors():
                await self._client.xgroup_create(self._streams[partition].name, self._name, after_id, mkstream=True)
        except StoreRefused as error:
            if not str(error.__cause__).startswith("BUSYGROUP"):
                raise

    async def move(self, partition: int, after_id: str) -> None:
        """Let the group read on after `after_id`."""
        with _group_errors():
            await self._client.xgroup_setid(self._streams[partition].name, self._name, after_id)

    async def has_entry(self, partition: int, entry_id: str) -> bool:
        """Whether that very entry is on the stream."""
        with _group_errors():
            return bool(await self._client.xrange(self._streams[partition].name, entry_id, entry_id, count=1))

    async def read_new(self, partitions: Sequence[int], count: int, block_ms: int) -> list[Entry]:
        """What nobody of the group was given yet, up to `count` a partition; waits `block_ms` for the first."""
        after = dict.fromkeys((self._streams[partition].name for partition in partitions), ">")
        with _group_errors():
            reply: Any = await self._client.xreadgroup(
                self._name, self._consumer, dict[Any, Any](after), count=count, block=block_ms
            )
        return self._entries(reply)

    async def read_next(self, partition: int, count: int, block_ms: int) -> Next:
        """As `read_new`, of one partition, and in the same round trip what is pending of it, whoever holds it."""
        stream = self._streams[partition].name
        pipeline = self._client.pipeline(transaction=False)
        pipeline.xreadgroup(self._name, self._consumer, {stream: ">"}, count=count, block=block_ms)
        pipeline.xpending_range(stream, self._name, "-", "+", 1)
        with _group_errors():
            reply, oldest = await run_pipeline(self._client, pipeline)
        return Next(self._entries(reply), oldest[0]["message_id"].decode() if oldest else None)

    def _entries(self, reply: Any) -> list[Entry]:
        streams: dict[bytes, list[tuple[bytes, dict[bytes, bytes] | None]]] = dict(reply)
        return [
            Entry(self._partitions[stream], entry_id.decode(), fields or {}, 1)
            for stream, entries in streams.items()
            for entry_id, fields in entries
        ]

    async def pending(self, partition: int) -> list[Pending]:
        """All that this consumer holds, oldest first: never more than it read and claimed."""
        found: list[Pending] = []
        while len(page := await self._pending_page(partition, found[-1].entry_id if found else None)) == _PAGE:
            found += page
        return found + page

    async def _pending_page(self, partition: int, after_id: str | None) -> list[Pending]:
        stream, first = self._streams[partition].name, f"({after_id}" if after_id else "-"
        with _group_errors():
            page: list[dict[str, Any]] = await self._client.xpending_range(
                stream, self._name, first, "+", _PAGE, self._consumer
            )
        return [
            Pending(one["message_id"].decode(), one["times_delivered"], one["time_since_delivered"]) for one in page
        ]

    async def redeliver(self, partition: int, pending: Sequence[Pending]) -> Redelivered:
        """Deliver what this consumer holds once more: this alone raises delivery counts.

        What another member took over in the meantime is left to it.
        """
        stream = self._streams[partition].name
        deliveries = {one.entry_id: one.deliveries for one in pending}
        with _group_errors():
            found: Any = await self._client.xclaim(
                stream, self._name, self._consumer, min(one.idle_ms for one in pending), list(deliveries)
            )
        delivered = {entry_id.decode(): fields for entry_id, fields in found if fields}
        missing = [entry_id for entry_id in deliveries if entry_id not in delivered]
        trimmed = [entry_id for entry_id in missing if not await self.has_entry(partition, entry_id)]
        if trimmed:  # which some servers leave on the pending list
            with _group_errors():
                await self._client.xack(stream, self._name, *trimmed)
        entries = [Entry(partition, one, fields, deliveries[one] + 1) for one, fields in delivered.items()]
        return Redelivered(entries, trimmed)

    async def renew(self, partition: int, entry_ids: Sequence[str]) -> None:
        """Say that this consumer is still at work on entries it holds, so that nobody takes them over."""
        if entry_ids:
            with _group_errors():
                await self._client.xclaim(
                    self._streams[partition].name, self._name, self._consumer, 0, list(entry_ids), justid=True
                )

    async def uncount(self, entries: Sequence[Entry]) -> None:
        """Take this delivery of `entries` back: it came to nothing through no fault of theirs."""
        alike: dict[tuple[int, int], list[str]] = {}
        for entry in entries:
            alike.setdefault((entry.partition, entry.attempts - 1), []).append(entry.entry_id)
        for (partition, count), entry_ids in alike.items():
            with _group_errors():
                stream = self._streams[partition].name
                await self._client.xclaim(
                    stream, self._name, self._consumer, 0, list(entry_ids), retrycount=count, justid=True
                )

    async def acknowledge(self, entries: Sequence[Entry]) -> None:
        """Take `entries` off the pending lists, in one round trip."""
        ids: dict[int, list[str]] = {}
        for entry in entries:
            ids.setdefault(entry.partition, []).append(entry.entry_id)
        if not ids:
            return
        with _group_errors():
            pipeline = self._client.pipeline(transaction=False)
            for partition, entry_ids in ids.items():
                pipeline.xack(self._streams[partition].name, self._name, *entry_ids)
            await run_pipeline(self._client, pipeline)

    async def claim(self, partition: int, min_idle_ms: int) -> Claimed:
        """Take over what nobody acknowledged for `min_idle_ms`; it is delivered by `redeliver`."""
        with _group_errors():
            count, trimmed = await _CLAIM.run(
                self._client, [self._streams[partition].name], [self._name, self._consumer, min_idle_ms]
            )
        return Claimed(count, [entry_id.decode() for entry_id in trimmed])

    async def bury(self, entry: Entry, error: str, max_dead: int) -> bool:
        """Move `entry` to the dead-letter stream; False when somebody else acknowledged or moved it before."""
        stream = self._streams[entry.partition]
        fields = chain.from_iterable(islice(entry.fields.items(), MAX_BURIED_FIELDS))
        error = error[:MAX_ERROR_CHARACTERS]
        arguments = [self._name, entry.entry_id, entry.attempts, error, self._consumer, max_dead, *fields]
        with _group_errors():
            return await _BURY.run(self._client, [stream.name, stream.dead], arguments) is not None

    async def sweep(self, partition: int, *, leaves: bool = False) -> None:
        """Forget members that hold nothing and are gone for long; this one as well if it `leaves`."""
        arguments = [self._name, CONSUMER_KNOWN_MS, self._consumer if leaves else ""]
        with _group_errors():
            await _SWEEP.run(self._client, [self._streams[partition].name], arguments)


@contextmanager
def _group_errors() -> Iterator[None]:
    """Redis' failures as the tape names them, but a lost group, which a worker can mend, as its own."""
    try:
        with store_errors():
            yield
    except StoreRefused as error:
        if str(error.__cause__).startswith(_LOST):
            raise GroupLost(f"the consumer group is gone: {error.__cause__}") from error
        raise
