"""`brokertape history`: the filler of past days, put together from settings."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from brokertape.cli.faults import OK, UNHEALTHY, NoTape, SettingsError
from brokertape.cli.gateway_link import check_key, gateway_settings
from brokertape.cli.history_progress import shown
from brokertape.cli.publish import account_of, budget_of, limit_of
from brokertape.cli.redis_link import find_keys, open_redis
from brokertape.cli.running import unless_stopped
from brokertape.cli.settings import RedisGroup, Settings
from brokertape.gateway.client import GatewayClient
from brokertape.gateway.port import Gateway
from brokertape.publisher.budget import Budget
from brokertape.publisher.clock import Clock, SystemClock
from brokertape.publisher.history import HistoryFiller
from brokertape.publisher.history_store import HistoryStore
from brokertape.publisher.lane import Lane
from brokertape.publisher.nightly import Nightly
from brokertape.publisher.patience import Patience
from brokertape.publisher.retention import Retention, Trimmer
from brokertape.publisher.watch import WatchList, open_tape
from brokertape.tape.connection import RedisClient
from brokertape.tape.keys import Keys, check_code

logger = logging.getLogger("brokertape.cli.history")

PATIENCE_S = 60.0  # a run that somebody waits for: a gateway or a Redis that is away for longer ends it


@dataclass(frozen=True, slots=True)
class _Tools:
    """What fills, and what a run needs besides."""

    filler: HistoryFiller
    trimmer: Trimmer
    clock: Clock
    patience: Patience


async def history(
    settings: Settings, stop: asyncio.Event, *, codes: Sequence[str] | None, watched: bool, nightly: bool, again: bool
) -> int:
    """Fill what is missing of the last days: once, or with `nightly` every evening until `stop` is set.

    Returns:
        0; 1 if something could not be had this time; 130 if a run was ended in the middle.

    Raises:
        SettingsError: There is nothing to fill, or the settings do not go together.
        GatewayError: The gateway does not come up or goes away for long; `nightly` waits for it.
        StoreError, TapeMismatch: Redis or the tape in it cannot be used.
    """
    named = tuple(dict.fromkeys(check_code(code) for code in codes or ()))
    _check_asked(named, watched=watched, nightly=nightly, again=again)
    target, lane = gateway_settings(settings.gateway), lane_of(settings)
    client = GatewayClient(target)
    async with open_redis(settings.redis) as redis:
        keys, tape_existed = await _open_tape(redis, settings.redis)
        codes_now = partial(_codes, WatchList(redis, keys) if watched else None, named)
        await check_key(target)
        async with client as gateway:
            account = account_of(settings, redis, gateway)
            budget = budget_of(settings, redis, account, tape_existed=tape_existed, lane=lane)
            tools = _assemble(settings, redis, keys, gateway, budget, patience_s=None if nightly else PATIENCE_S)
            if nightly:
                await unless_stopped(_fill_nightly(settings, tools, codes_now), stop)
                logger.info("stopped")
                return OK
            found = await codes_now()
            if not found:
                raise SettingsError("nothing is watched: name codes, or add some with `brokertape watch add`")
            await client.wait_connected(settings.gateway.connect_timeout_s)
            return await _fill_once(settings, stop, tools, found, again=again)


def lane_of(settings: Settings) -> Lane:
    """How far past days stand back.

    Raises:
        SettingsError: They would never be asked for.
    """
    headroom, limit = settings.history.headroom, settings.budget.limit
    if headroom >= limit:
        raise SettingsError(f"history.headroom {headroom}: it must be less than budget.limit, which is {limit}")
    return Lane(headroom, settings.history.quiet_s)


def _check_asked(named: Sequence[str], *, watched: bool, nightly: bool, again: bool) -> None:
    if not named and not watched:
        raise SettingsError("whose past days? Name codes, as in HK.00700, or take the watch list with --watched")
    if nightly and again:
        raise SettingsError("--again would ask for everything anew each night: take it without --nightly")


async def _open_tape(redis: RedisClient, settings: RedisGroup) -> tuple[Keys, bool]:
    """The keys of the tape, with the partitions it has, and whether it was there before."""
    try:
        return await find_keys(redis, settings), True
    except NoTape:
        return settings.keys, await open_tape(redis, settings.keys)


async def _codes(watch: WatchList | None, named: Sequence[str]) -> Sequence[str]:
    """The codes that were named, and what is watched now."""
    watched = (await watch.read()).wants if watch is not None else ()
    return tuple(dict.fromkeys([*named, *sorted(watched)]))


def _assemble(
    settings: Settings, redis: RedisClient, keys: Keys, gateway: Gateway, budget: Budget, *, patience_s: float | None
) -> _Tools:
    clock = SystemClock()
    patience = Patience(clock, logger, patience_s)
    filler = HistoryFiller(
        gateway,
        budget,
        HistoryStore(redis, keys),
        clock,
        patience,
        source=f"/opend/{settings.gateway.address}",
        final_at=settings.history.final_at,
    )
    return _Tools(filler, Trimmer(redis, keys, Retention(**settings.retention.model_dump())), clock, patience)


async def _fill_once(
    settings: Settings, stop: asyncio.Event, tools: _Tools, codes: Sequence[str], *, again: bool
) -> int:
    """One run, shown while it lasts and summed up at its end, whichever that is."""
    filler, spacing_s = tools.filler, lane_of(settings).spacing_s(limit_of(settings.budget))

    async def run() -> int:
        async with shown(filler, spacing_s):
            tally = await filler.fill(codes, settings.history.days, again=again)
            await tools.trimmer.trim(tools.clock.now_ms())
        return UNHEALTHY if tally.failed else OK

    code = None
    try:
        code = await unless_stopped(run(), stop)
    finally:
        if filler.tally.wanted:
            rest = "" if code in (OK, UNHEALTHY) else f", {filler.tally.left} left: run it again to go on"
            print(f"past days of {len(codes)} codes: {filler.tally}{rest}")  # noqa: T201
    return code


async def _fill_nightly(settings: Settings, tools: _Tools, codes: Callable[[], Awaitable[Sequence[str]]]) -> int:
    nightly = Nightly(
        tools.filler,
        tools.trimmer,
        tools.clock,
        tools.patience,
        codes=codes,
        days=settings.history.days,
        final_at=settings.history.final_at,
    )
    logger.info("filling past days every evening")
    await nightly.run()
    return OK
