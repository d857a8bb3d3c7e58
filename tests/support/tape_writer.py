"""Puts events and books of a `TapeFactory` on a tape in Redis as the publisher does: both in one step."""

import uuid
from typing import Any

from brokertape.tape.book import Book, Snapshot
from brokertape.tape.codec import encode_entry
from brokertape.tape.connection import RedisClient, Script
from brokertape.tape.events import TapeEvent, WatermarkData, WatermarkEntry, WatermarkEvent
from brokertape.tape.keys import Keys
from brokertape.tape.market_time import rfc3339
from brokertape.tape.rows import Row
from support.tape_factory import TapeFactory

_WRITE = Script("""
local id = redis.call('XADD', KEYS[1], '*', 'topic', ARGV[1], 'type', ARGV[2], 'encoding', 'json', 'payload', ARGV[3])
redis.call('SADD', KEYS[3], ARGV[5])
for i = 6, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
redis.call('HSET', KEYS[2], 'entry_id', id)
if ARGV[4] == 'lost' then redis.call('XDEL', KEYS[1], id) end
return id
""")


class TapeWriter:
    """Writes what a factory makes."""

    def __init__(self, client: RedisClient, keys: Keys, factory: TapeFactory) -> None:
        self.factory = factory
        self._client = client
        self._keys = keys

    @property
    def rows(self) -> tuple[Row, ...]:
        """What the book of the code holds now."""
        return self.factory.rows

    async def baseline(self) -> TapeEvent:
        """Begin the tape of the code."""
        return await self.write(self.factory.baseline())

    async def change(self, count: int = 1) -> TapeEvent:
        """Some changes; the last of them."""
        for _ in range(count):
            event = await self.write(self.factory.change())
        return event

    async def lose(self, event: TapeEvent) -> TapeEvent:
        """The book that `event` leads to; its entry is gone before anybody can read it."""
        return await self._write(event, b"lost")

    async def write(self, event: TapeEvent) -> TapeEvent:
        """`event` and the book it leads to."""
        return await self._write(event, b"kept")

    async def _write(self, event: TapeEvent, fate: bytes) -> TapeEvent:
        entry = encode_entry(event)
        book = [part for item in book_after(event, self.factory.rows).to_hash().items() for part in item]
        code = event.subject
        keys = [self._keys.tape_of(code), self._keys.book(code), self._keys.codes(self._keys.partition(code))]
        arguments = [entry["topic"], entry["type"], entry["payload"], fate, code, *book, "server", "s" * 40]
        await _WRITE.run(self._client, keys, arguments)
        return event

    async def watermark(self, observed_at: int) -> None:
        """The feed says that the code was seen, unchanged since its last event."""
        entry = WatermarkEntry(observed_at=observed_at, data_time=None, epoch=self.factory.epoch, seq=self.factory.seq)
        event = WatermarkEvent(
            source="/opend/test",
            id=f"test/1/{observed_at}",
            subject="test",
            time=rfc3339(observed_at),
            data=WatermarkData(codes={self.factory.code: entry}),
        )
        await self._client.xadd(self._keys.feed, dict[Any, Any](encode_entry(event)))


def book_after(event: TapeEvent, rows: tuple[Row, ...], entry_id: str = "") -> Book:
    """The book that `event` led to."""
    data = event.data
    return Book(
        epoch=data.epoch,
        seq=data.seq,
        entry_id=entry_id,
        commit=uuid.uuid4().hex,
        server="",
        asked_at=data.observed_at,
        observed_at=data.observed_at,
        data_time=data.data_time,
        hash=data.hash,
        repeated=(),
        snapshot=Snapshot(code=data.code, trading_date=data.trading_date, rows=rows),
    )
