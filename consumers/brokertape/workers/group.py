"""The seam to Redis: one member of a consumer group over the tapes of some partitions."""

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
from brokertape.workers.delivery import Entry
from brokertape.workers.errors import GroupLost

MAX_BURIED_FIELDS = 64  # Lua cannot unpack thousands, and an entry of ours has four
MAX_ERROR_CHARACTERS = 500

_LUA = resources.files("brokertape.workers")
_CLAIM = Script(_LUA.joinpath("claim.lua").read_text())
_BURY = Script(_LUA.joinpath("bury.lua").read_text())

# How servers say that the group is gone: at once, to a blocked reader (Redis 7), and for XGROUP without a stream.
_LOST = ("NOGROUP", "UNBLOCKED", "The XGROUP subcommand requires the key to exist")


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a tape and our group on it have come (entry ids), and how many entries all its members hold."""

    last_generated: str
    last_delivered: str
    pending: int


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry that this consumer was given and has not acknowledged."""

    entry_id: str
    deliveries: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """How many entries were taken over, and the ids of those that were trimmed before anybody handled them."""

    count: int
    trimmed: Sequence[str]


class Group:
    """One consumer of one group. Every call raises StoreUnavailable, StoreRefused or GroupLost, nothing of redis-py."""

    def __init__(self, client: RedisClient, keys: Keys, name: str, consumer: str) -> None:
        self._client = client
        self._keys = keys
        self._name = name
        self._consumer = consumer
        self._partitions = {tape.encode(): partition for partition, tape in enumerate(keys.tapes())}

    async def check_tape(self) -> None:
        """Raise TapeMismatch if the tape was made anew with other partitions: we would not read all of them."""
        keys = await read_meta(self._client, self._keys.prefix)
        if keys is not None and keys != self._keys:
            now, then = keys.partitions, self._keys.partitions
            raise TapeMismatch(f"tape {keys.prefix!r} was made anew with {now} partitions, it had {then}: start again")

    async def standing(self, partition: int) -> Standing | None:
        """Where the group stands on a partition; None when there is no such group."""
        tape = self._keys.tape(partition)
        try:
            with _group_errors():
                groups = await self._client.xinfo_groups(tape)
                stream = await self._client.xinfo_stream(tape)
        except StoreRefused as error:
            if str(error.__cause__) == "no such key":
                return None
            raise
        for group in groups:
            if group["name"].decode() == self._name:
                last_delivered = group["last-delivered-id"].decode()
                return Standing(stream["last-generated-id"].decode(), last_delivered, group["pending"])
        return None

    async def create(self, partition: int, after_id: str) -> None:
        """Create the group, to read after `after_id`, and the tape if there is none. A group that is there stays."""
        try:
            with _group_errors():
                await self._client.xgroup_create(self._keys.tape(partition), self._name, after_id, mkstream=True)
        except StoreRefused as error:
            if not str(error.__cause__).startswith("BUSYGROUP"):
                raise

    async def move(self, partition: int, after_id: str) -> None:
        """Let the group read on after `after_id`."""
        with _group_errors():
            await self._client.xgroup_setid(self._keys.tape(partition), self._name, after_id)

    async def has_entry(self, partition: int, entry_id: str) -> bool:
        """Whether that very entry is on the tape."""
        with _group_errors():
            return bool(await self._client.xrange(self._keys.tape(partition), entry_id, entry_id, count=1))

    async def read_new(self, partitions: Sequence[int], count: int, block_ms: int) -> list[Entry]:
        """What nobody of the group was given yet, up to `count` a partition; waits `block_ms` for the first."""
        after = {self._keys.tape(partition): ">" for partition in partitions}
        return await self._read(after, count, block_ms, {})

    async def pending(self, partition: int, after_id: str, count: int) -> list[Pending]:
        """The first `count` entries after `after_id` that this consumer holds."""
        with _group_errors():
            found: list[dict[str, Any]] = await self._client.xpending_range(
                self._keys.tape(partition), self._name, f"({after_id}", "+", count, self._consumer
            )
        return [Pending(one["message_id"].decode(), one["times_delivered"]) for one in found]

    async def read_pending(self, partition: int, after_id: str, pending: Sequence[Pending]) -> list[Entry]:
        """Deliver `pending`, the next after `after_id`, once more: this alone raises their delivery counts."""
        deliveries = {one.entry_id: one.deliveries for one in pending}
        return await self._read({self._keys.tape(partition): after_id}, len(pending), None, deliveries)

    async def acknowledge(self, entries: Sequence[Entry]) -> None:
        """Take `entries` off the pending lists."""
        ids: dict[int, list[str]] = {}
        for entry in entries:
            ids.setdefault(entry.partition, []).append(entry.entry_id)
        if not ids:
            return
        with _group_errors():
            pipeline = self._client.pipeline(transaction=False)
            for partition, entry_ids in ids.items():
                pipeline.xack(self._keys.tape(partition), self._name, *entry_ids)
            await run_pipeline(self._client, pipeline)

    async def claim(self, partition: int, min_idle_ms: int) -> Claimed:
        """Take over what nobody acknowledged for `min_idle_ms`; it is delivered by `read_pending`."""
        with _group_errors():
            count, trimmed = await _CLAIM.run(
                self._client, [self._keys.tape(partition)], [self._name, self._consumer, min_idle_ms]
            )
        return Claimed(count, [entry_id.decode() for entry_id in trimmed])

    async def bury(self, entry: Entry, error: str, max_dead: int) -> bool:
        """Move `entry` to the dead-letter stream; False when somebody else acknowledged or moved it before."""
        keys = [self._keys.tape(entry.partition), self._keys.dead(entry.partition, self._name)]
        fields = chain.from_iterable(islice(entry.fields.items(), MAX_BURIED_FIELDS))
        error = error[:MAX_ERROR_CHARACTERS]
        arguments = [self._name, entry.entry_id, entry.attempts, error, self._consumer, max_dead, *fields]
        with _group_errors():
            return await _BURY.run(self._client, keys, arguments) is not None

    async def _read(
        self, after: Mapping[str, str], count: int, block_ms: int | None, deliveries: Mapping[str, int]
    ) -> list[Entry]:
        with _group_errors():
            reply: Any = await self._client.xreadgroup(
                self._name, self._consumer, dict[Any, Any](after), count=count, block=block_ms
            )
        streams: dict[bytes, list[tuple[bytes, dict[bytes, bytes] | None]]] = dict(reply)
        return [
            Entry(self._partitions[tape], entry_id.decode(), fields or {}, deliveries.get(entry_id.decode(), 0) + 1)
            for tape, entries in streams.items()
            for entry_id, fields in entries
        ]


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
