"""Reading streams as they grow, for commands that show them. Not for work that must not be lost: that is a group's."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import RedisCluster

from brokertape.tape.connection import RedisClient, store_errors
from brokertape.tape.errors import StoreRefused, StoreUnavailable
from brokertape.tape.start import FIRST_ID, id_order

logger = logging.getLogger("brokertape.cli.follow")

BLOCK_MS = 500  # how late a stop is seen; shorter than any socket timeout
READ_COUNT = 200
CLUSTER_PAUSE_S = 0.2
RETRY_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One stream entry."""

    stream: str
    entry_id: str
    fields: Mapping[bytes, bytes]


async def last_ids(client: RedisClient, streams: Iterable[str]) -> dict[str, str]:
    """Stream → the last id it generated: what comes after is new."""
    return {stream: await _last_id(client, stream) for stream in streams}


async def follow(client: RedisClient, after: Mapping[str, str], stop: asyncio.Event) -> AsyncIterator[list[Entry]]:
    """What comes on the streams of `after` behind the ids there, in batches sorted by id, until `stop` is set.

    A Redis that is away is waited for, and read on where it was left; one that has lost the end of a stream, from
    its new end. A batch may be empty: it says that nothing came for a moment.

    Raises:
        StoreRefused: Redis answers but will not let us.
    """
    positions = dict(after)
    is_lost = False
    while not stop.is_set():
        try:
            if is_lost:
                await _step_back(client, positions)
                is_lost = False
            entries = await _read(client, positions)
        except StoreUnavailable as error:
            if not is_lost:
                logger.warning("%s; waiting for it", error)
            is_lost = True
            await asyncio.sleep(RETRY_PAUSE_S)
            continue
        positions.update((entry.stream, entry.entry_id) for entry in entries)
        yield sorted(entries, key=lambda entry: id_order(entry.entry_id))


async def _read(client: RedisClient, positions: Mapping[str, str]) -> list[Entry]:
    if not isinstance(client, RedisCluster):
        return await _read_once(client, positions, BLOCK_MS)
    # A Cluster refuses a read over two slots, and one blocked reader a stream is more than a screen is worth.
    entries = [
        entry
        for stream, entry_id in positions.items()
        for entry in await _read_once(client, {stream: entry_id}, block_ms=None)
    ]
    if not entries:
        await asyncio.sleep(CLUSTER_PAUSE_S)
    return entries


async def _read_once(client: RedisClient, positions: Mapping[str, str], block_ms: int | None) -> list[Entry]:
    with store_errors():
        reply: Any = await client.xread(dict[Any, Any](positions), count=READ_COUNT, block=block_ms)
    return [
        Entry(stream.decode(), entry_id.decode(), fields)
        for stream, entries in dict(reply).items()
        for entry_id, fields in entries
    ]


async def _step_back(client: RedisClient, positions: dict[str, str]) -> None:
    """A restored Redis may stand before our positions: reading on behind them would skip what comes."""
    for stream, last_id in (await last_ids(client, positions)).items():
        if id_order(last_id) < id_order(positions[stream]):
            logger.warning("%s was rolled back from %s to %s", stream, positions[stream], last_id)
            positions[stream] = last_id


async def _last_id(client: RedisClient, stream: str) -> str:
    try:
        with store_errors():
            last_id: bytes = (await client.xinfo_stream(stream))["last-generated-id"]
    except StoreRefused as error:
        if str(error.__cause__) == "no such key":
            return FIRST_ID
        raise
    return last_id.decode()
