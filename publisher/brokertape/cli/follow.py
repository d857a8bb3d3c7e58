"""Reading streams as they grow, for commands that show every entry of them as it is, whatever it means."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from brokertape.subscriber.source import Entry, Source
from brokertape.tape.errors import StoreUnavailable
from brokertape.tape.start import id_order

logger = logging.getLogger("brokertape.cli.follow")

BLOCK_MS = 500  # how late a stop is seen
TURN_MS = 20  # how long each of several lanes is waited at, one after the other: a screen needs no reader for each
RETRY_PAUSE_S = 1.0


async def last_ids(source: Source, streams: Iterable[str]) -> dict[str, str]:
    """Stream → the last id it generated: what comes after is new."""
    return {stream: span.last_id for stream, span in (await source.spans(list(streams))).items()}


async def follow(source: Source, after: Mapping[str, str], stop: asyncio.Event) -> AsyncIterator[list[Entry]]:
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
                await _step_back(source, positions)
                is_lost = False
            entries = await _read(source, positions)
        except StoreUnavailable as error:
            if not is_lost:
                logger.warning("%s; waiting for it", error)
            is_lost = True
            await asyncio.sleep(RETRY_PAUSE_S)
            continue
        positions.update((entry.stream, entry.entry_id) for entry in entries)
        yield sorted(entries, key=lambda entry: id_order(entry.entry_id))


async def _read(source: Source, positions: Mapping[str, str]) -> Sequence[Entry]:
    lanes = source.lanes(list(positions))
    block_ms = BLOCK_MS if len(lanes) == 1 else TURN_MS
    entries: list[Entry] = []
    for lane in lanes:
        entries += await source.read({stream: positions[stream] for stream in lane}, block_ms)
    return entries


async def _step_back(source: Source, positions: dict[str, str]) -> None:
    """A restored Redis may stand before our positions: reading on behind them would skip what comes."""
    for stream, last_id in (await last_ids(source, positions)).items():
        if id_order(last_id) < id_order(positions[stream]):
            logger.warning("%s was rolled back from %s to %s", stream, positions[stream], last_id)
            positions[stream] = last_id
