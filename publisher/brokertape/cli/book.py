"""`brokertape book CODE`: one list, the latest or that of a moment of the past."""

import json
from datetime import datetime
from typing import Any, Protocol

from msgspec.structs import asdict
from rich.console import Console
from rich.text import Text

from brokertape.cli.book_table import Listed, book_table
from brokertape.cli.redis_link import find_keys, open_redis
from brokertape.cli.settings import Settings
from brokertape.subscriber.redis_source import RedisSource
from brokertape.tape.book import Book
from brokertape.tape.keys import check_code
from brokertape.tape.market_time import HKT, wall_clock_ms
from brokertape.tape.start import moment_ms


class Placed(Listed, Protocol):
    """A list, and which event of the code it is after."""

    @property
    def code(self) -> str:
        """Whose it is."""

    @property
    def epoch(self) -> int:
        """The numbering that `seq` is of."""

    @property
    def hash(self) -> str:
        """Of the rows."""


async def book(settings: Settings, *, code: str, at: str | None, as_json: bool) -> int:
    """Print the list of `code`: from Redis, or from the database as it was known at the moment `at`.

    Raises:
        ListUnknown: What is stored does not tell it.
    """
    check_code(code)
    if at is None:
        _print(code, await _latest(settings, code), wall_clock_ms(), as_json=as_json)
        return 0
    moment = moment_ms(at)
    from brokertape.workers.storage.as_of import book_as_of  # the latest list needs no extra for databases
    from brokertape.workers.storage.database import open_readonly

    async with open_readonly(settings.store.database) as database:
        _print(code, await book_as_of(database, code, moment), moment, as_json=as_json)
    return 0


async def _latest(settings: Settings, code: str) -> Book | None:
    async with open_redis(settings.redis) as client:
        source = RedisSource(client, await find_keys(client, settings.redis))
        return (await source.books([code])).get(code)


def _print(code: str, found: Placed | None, now: int, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(None if found is None else as_data(found), ensure_ascii=False))  # noqa: T201
        return
    console = Console()
    console.print(book_table(code, found, now))
    if found is not None:
        console.print(place_text(found))


def as_data(found: Placed) -> dict[str, Any]:
    """A list for programs; names and units are the tape's."""
    names = ("code", "trading_date", "data_time", "observed_at", "epoch", "seq", "hash")
    return {**{name: getattr(found, name) for name in names}, "rows": [asdict(row) for row in found.rows]}


def place_text(found: Placed) -> Text:
    """Where the list stands: stamps in market time, the event it is after, its hash."""
    lines = {
        "trading_date": found.trading_date,
        "data_time": "–" if found.data_time is None else _stamp(found.data_time * 1000),
        "observed_at": _stamp(found.observed_at),
        "epoch/seq": f"{found.epoch}/{found.seq}",
        "hash": found.hash,
    }
    return Text("\n".join(f"{name:<12}  {value}" for name, value in lines.items()))


def _stamp(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, HKT).isoformat(" ", "milliseconds")
