"""`brokertape tail`: the tape as it comes, on standard output."""

import asyncio
import logging
import sys
from collections.abc import Collection, Iterable, Iterator
from functools import partial

from brokertape.cli.follow import follow, last_ids
from brokertape.cli.lines import line_of
from brokertape.cli.redis_link import open_redis, wait_for_keys
from brokertape.cli.settings import Settings
from brokertape.subscriber.redis_source import RedisSource
from brokertape.subscriber.source import Entry
from brokertape.tape.codec import decode_entry
from brokertape.tape.errors import DecodeError
from brokertape.tape.keys import Keys, check_code
from brokertape.tape.start import FIRST_ID

logger = logging.getLogger("brokertape.cli.tail")


async def tail(
    settings: Settings,
    stop: asyncio.Event,
    *,
    codes: Collection[str] = (),
    feed: bool = False,
    past: bool = False,
    from_start: bool = False,
    as_json: bool = False,
) -> None:
    """Print events until `stop` is set. A tape that is not there yet is waited for.

    Args:
        settings: Where the tape is.
        stop: Ends it.
        codes: Only these; all if empty.
        feed: The feed's status and watermarks as well.
        past: Past trading days as well.
        from_start: All that is still there first.
        as_json: Each payload, byte for byte, on a line; else a line for people.
    """
    wanted = {check_code(code) for code in codes}
    write = _write_payloads if as_json else _write_lines
    async with open_redis(settings.redis) as client:
        keys = await wait_for_keys(client, settings.redis, stop)
        if keys is None:
            return
        source, streams = RedisSource(client, keys), _streams(keys, wanted, feed=feed, past=past)
        after = dict.fromkeys(streams, FIRST_ID) if from_start else await last_ids(source, streams)
        is_wanted = partial(_is_wanted, codes=wanted, feed=keys.feed)
        async for entries in follow(source, after, stop):
            write(filter(is_wanted, entries))


def _streams(keys: Keys, codes: Collection[str], *, feed: bool, past: bool) -> list[str]:
    tapes = sorted({keys.tape_of(code) for code in codes}) or keys.tapes()
    return [*tapes, *[keys.feed] * feed, *[keys.history] * past]


def _is_wanted(entry: Entry, codes: Collection[str], feed: str) -> bool:
    """Told by the topic, `<kind>.<code>`, which costs no parsing."""
    code = entry.fields.get(b"topic", b"").decode(errors="replace").partition(".")[2]
    return not codes or entry.stream == feed or code in codes


def _write_payloads(entries: Iterable[Entry]) -> None:
    for entry in entries:
        sys.stdout.buffer.write(entry.fields.get(b"payload", b"") + b"\n")
    sys.stdout.buffer.flush()


def _write_lines(entries: Iterable[Entry]) -> None:
    for line in _lines(entries):
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _lines(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        try:
            yield line_of(decode_entry(entry.fields))
        except DecodeError as error:  # one of an unknown type among them: a newer publisher's
            logger.warning("entry %s of %s: %s", entry.entry_id, entry.stream, error)
