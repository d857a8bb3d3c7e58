"""`brokertape watch`: what the publishers of a tape are asked to watch. Works while they run."""

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from pydantic import ValidationError
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from brokertape.cli.faults import OK, UNHEALTHY, NoTape, SettingsError
from brokertape.cli.redis_link import find_keys, open_redis
from brokertape.cli.settings import Settings, shown_default
from brokertape.publisher.watch import Wanted, WatchList
from brokertape.tape.keys import check_code
from brokertape.tape.want import Want
from brokertape.tape.wording import plain


async def add(settings: Settings, *, codes: Sequence[str], weight: float, max_staleness_s: float | None) -> int:
    """Watch `codes`, all of them or none, or change how urgently."""
    want = _want(weight, max_staleness_s)
    for code in codes:
        check_code(code)
    async with _watch_list(settings) as watch:
        for code in codes:
            await watch.add(code, want)
    return OK


async def remove(settings: Settings, *, codes: Sequence[str]) -> int:
    """Watch `codes` no more; 1 if one was not watched."""
    async with _watch_list(settings) as watch:
        gone = [await watch.remove(code) for code in codes]
    for code, was_watched in zip(codes, gone, strict=True):
        if not was_watched:
            Console(stderr=True).print(f"{code} was not watched", highlight=False, markup=False)
    return OK if all(gone) else UNHEALTHY


async def show(settings: Settings, *, as_json: bool) -> int:
    """Print what operators watch and what live subscribers ask for."""
    async with _watch_list(settings) as watch:
        wanted = await watch.wanted()
    if as_json:
        print(json.dumps(_as_data(wanted)))  # noqa: T201
    else:
        Console().print(_table(wanted))
    return OK


@asynccontextmanager
async def _watch_list(settings: Settings) -> AsyncIterator[WatchList]:
    """The watch list of a tape that is ours, or is still to be made."""
    async with open_redis(settings.redis) as client:
        with contextlib.suppress(NoTape):
            await find_keys(client, settings.redis)
        yield WatchList(client, settings.redis.keys)


def _want(weight: float, max_staleness_s: float | None) -> Want:
    try:
        return Want(weight=weight, max_staleness_s=max_staleness_s)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise SettingsError(f"{fault['loc'][0]}: {fault['msg']}") from error


def _as_data(wanted: Wanted) -> dict[str, dict[str, object]]:
    return {
        code: {
            **want.model_dump(),
            "is_watched": code in wanted.watched.wants,
            "subscribers": wanted.asked.subscribers.get(code, 0),
        }
        for code, want in sorted(wanted.wants.items())
    }


def _table(wanted: Wanted) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Code")
    table.add_column("Weight", justify="right")
    table.add_column("Max staleness (s)", justify="right")
    table.add_column("Wanted by")
    for code, want in sorted(wanted.wants.items()):
        by = wanted_by(is_watched=code in wanted.watched.wants, subscribers=wanted.asked.subscribers.get(code, 0))
        table.add_row(code, shown_default(want.weight), shown_default(want.max_staleness_s), by)
    for name, reason in sorted({**wanted.refused, **wanted.watched.refused}.items()):
        table.add_row(Text(plain(name)), "", "", Text(plain(reason)))
    return table


def wanted_by(*, is_watched: bool, subscribers: int) -> str:
    """Who wants a code, in words."""
    asking = f"{subscribers} subscriber{'s' * (subscribers != 1)}" if subscribers else ""
    return ", ".join(filter(None, ("operators" * is_watched, asking)))
