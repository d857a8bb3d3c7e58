"""A tape in Redis: one server, Sentinel or Cluster."""

import asyncio
import logging
import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from redis.asyncio import RedisCluster

from brokertape.subscriber.source import Entry, Span
from brokertape.tape.book import Book
from brokertape.tape.codec import load_status
from brokertape.tape.connection import RedisClient, connect, run_pipeline, server_time_ms, store_errors
from brokertape.tape.errors import DecodeError, StoreRefused, StoreUnavailable
from brokertape.tape.events import StatusEvent
from brokertape.tape.interest import INTEREST_TTL_S, member_of
from brokertape.tape.keys import Keys
from brokertape.tape.market_time import wall_clock_ms
from brokertape.tape.meta import read_meta
from brokertape.tape.rows import hash_rows
from brokertape.tape.start import FIRST_ID
from brokertape.tape.want import Want

log = logging.getLogger("brokertape.subscriber")

READ_COUNT = 500  # entries a stream in one reply: about a megabyte
COMMAND_TIMEOUT_S = 5.0  # of every command, a blocked read's waiting included
BOOKS_AT_ONCE = 100
MAX_CONNECTIONS = 128  # a Cluster of one node may have 65 streams read at once


class RedisSource:
    """Reads the tape of `keys` by `client`. Both clients are closed with it.

    `reader` is a client of the same Redis that nothing else is asked by: its one connection then tells when it was
    replaced. A pool does that unseen when it finds a connection closed, and behind the new one may be a Redis that was
    restarted or restored while nobody read.
    """

    is_live = True

    def __init__(self, client: RedisClient, keys: Keys, reader: RedisClient | None = None) -> None:
        self._client = client
        self._reader = reader
        self._name = f"brokertape-{secrets.token_hex(8)}"
        self._is_named = False
        self._keys = keys

    @classmethod
    def at(cls, url: str, prefix: str) -> "RedisSource":
        """The tape at `url`, with the partitions that `keys` will find; nothing is sent before that.

        Raises:
            StoreRefused: `url` cannot be used.
            InvalidKeys: `prefix` cannot.
        """
        client = connect(url, command_timeout_s=COMMAND_TIMEOUT_S, max_connections=MAX_CONNECTIONS)
        # A Cluster is read by as many connections as streams: there the watermarks tell, within ten seconds.
        reader = None if isinstance(client, RedisCluster) else connect(url, command_timeout_s=COMMAND_TIMEOUT_S)
        return cls(client, Keys(prefix), reader)

    def now_ms(self) -> int:
        """This machine's clock."""
        return wall_clock_ms()

    async def keys(self) -> Keys | None:
        """The keys of the tape, None while there is none."""
        keys = await read_meta(self._client, self._keys.prefix)
        self._keys = keys or self._keys
        return keys

    def lanes(self, streams: Sequence[str]) -> Sequence[Sequence[str]]:
        """One read for all on one server; in a Cluster, which refuses a read over two slots, one for each."""
        return [[stream] for stream in streams] if isinstance(self._client, RedisCluster) else [streams]

    async def spans(self, streams: Collection[str]) -> Mapping[str, Span]:
        """The span of each stream, by XINFO."""
        return {stream: await self._span(stream) for stream in streams}

    async def books(self, codes: Collection[str]) -> Mapping[str, Book]:
        """What is stored of `codes`; in a Cluster, pipelines read from masters."""
        wanted = list(codes)
        found: dict[str, Book] = {}
        for start in range(0, len(wanted), BOOKS_AT_ONCE):
            found |= await self._books(wanted[start : start + BOOKS_AT_ONCE])
        return found

    async def statuses(self) -> Sequence[StatusEvent]:
        """The latest status of everything; what cannot be read is left out."""
        with store_errors():
            stored = cast("dict[bytes, bytes]", await self._client.hgetall(self._keys.status))
        return [event for payload in stored.values() if (event := load_status(payload)) is not None]

    async def read(self, after: Mapping[str, str], block_ms: int) -> Sequence[Entry]:
        """What comes behind the ids of `after`, by one blocked XREAD."""
        try:
            with store_errors():
                reply = await (self._read if self._reader is None else self._read_on_one)(after, block_ms)
        except StoreUnavailable:
            self._is_named = False  # the next connection is a new one, and its owner knows
            raise
        except StoreRefused as error:
            if str(error.__cause__).startswith("UNBLOCKED"):  # a master became a replica while we waited
                raise StoreUnavailable(str(error)) from error
            raise
        return [
            Entry(stream.decode(), entry_id.decode(), fields)
            for stream, entries in dict(reply or ()).items()
            for entry_id, fields in entries
        ]

    async def _read(self, after: Mapping[str, str], block_ms: int) -> Any:
        return await self._client.xread(dict[Any, Any](after), count=READ_COUNT, block=block_ms)

    async def _read_on_one(self, after: Mapping[str, str], block_ms: int) -> Any:
        """A connection that does not have the name we gave it is another. Asking costs no round trip of its own.

        Its id would not do: a server that was restarted counts them from the beginning.
        """
        assert self._reader is not None
        pipeline = self._reader.pipeline(transaction=False)
        pipeline.client_getname()
        pipeline.client_setname(self._name)
        pipeline.xread(dict[Any, Any](after), count=READ_COUNT, block=block_ms)
        name, _, reply = await run_pipeline(self._reader, pipeline)
        was_named, self._is_named = self._is_named, True
        if was_named and name != self._name:
            raise StoreUnavailable("the connection to Redis was replaced")
        return reply

    async def want(self, codes: Collection[str], subscriber: str, want: Want) -> None:
        """Write expiries by Redis' own clock, then the wants."""
        members = [member_of(code, subscriber) for code in codes]
        if not members:
            return
        with store_errors():
            expiry = await server_time_ms(self._client, self._keys.interest) + round(INTEREST_TTL_S * 1000)
            await self._client.zadd(self._keys.interest, dict.fromkeys(members, expiry))
            payload = want.model_dump_json()
            await self._client.hset(self._keys.interest_want, mapping=dict.fromkeys(members, payload))

    async def unwant(self, codes: Collection[str], subscriber: str) -> None:
        """Take wants and expiries out."""
        members = [member_of(code, subscriber) for code in codes]
        if not members:
            return
        with store_errors():
            await self._client.hdel(self._keys.interest_want, *members)
            await self._client.zrem(self._keys.interest, *members)

    async def aclose(self) -> None:
        """Close the connections."""
        for client in (self._client, self._reader):
            if client is not None:
                await asyncio.shield(client.aclose())

    async def _span(self, stream: str) -> Span:
        try:
            with store_errors():
                info: Any = await self._client.xinfo_stream(stream)
        except StoreRefused as error:
            if str(error.__cause__) == "no such key":
                return Span(FIRST_ID, None)
            raise
        last = info["last-entry"]
        return Span(info["last-generated-id"].decode(), last[0].decode() if last else None)

    async def _books(self, codes: Sequence[str]) -> dict[str, Book]:
        pipeline = self._client.pipeline(transaction=False)
        for code in codes:
            pipeline.hgetall(self._keys.book(code))
        with store_errors():
            stored = await run_pipeline(self._client, pipeline, raise_on_error=False)
            books = {code: _book_in(code, fields) for code, fields in zip(codes, stored, strict=True)}
        return {code: book for code, book in books.items() if book is not None}


def _book_in(code: str, fields: Mapping[bytes, bytes] | Exception) -> Book | None:
    """The book of a hash; one that cannot be used must not take the other codes with it."""
    if isinstance(fields, Exception):
        if not str(fields).startswith("WRONGTYPE"):
            raise fields
        log.warning("the stored book of %s cannot be used: %s", code, fields)
        return None
    try:
        book = Book.from_hash(fields)
    except DecodeError as error:
        log.warning("the stored book of %s cannot be used: %s", code, error)
        return None
    if book is not None and (book.code != code or hash_rows(book.rows) != book.hash):
        log.warning("the stored book of %s cannot be used: its rows are not those it says", code)
        return None
    return book
