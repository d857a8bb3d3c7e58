"""`brokertape replay`: a stored stretch published once more, on a tape of its own."""

import asyncio
import logging
import math
import time
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from brokertape.cli.faults import OK, NothingStored, SettingsError
from brokertape.cli.player import Progress, play
from brokertape.cli.redis_link import open_redis
from brokertape.cli.replay_progress import market_time, shown, where
from brokertape.cli.running import unless_stopped
from brokertape.cli.settings import Settings
from brokertape.publisher.clock import SystemClock
from brokertape.publisher.replay_tape import ReplayTape, Run, claim
from brokertape.publisher.retention import Retention, Trimmer
from brokertape.tape.keys import Keys, check_code
from brokertape.tape.start import moment_ms
from brokertape.tape.tasks import end_tasks
from brokertape.workers.storage.database import open_readonly
from brokertape.workers.storage.moments import PlaybackCounts
from brokertape.workers.storage.playback import Plan, Stretch, moments, plan_of
from brokertape.workers.storage.port import Database

logger = logging.getLogger("brokertape.cli.replay")

DAY_MS = 86_400_000
TRIM_EVERY_S = 60.0


@dataclass(slots=True)
class _Playing:
    """One replay under way, and what to say of it."""

    plan: Plan
    begin: int
    started_s: float = field(default_factory=time.monotonic)
    counts: PlaybackCounts = field(default_factory=PlaybackCounts)
    progress: Progress = field(default_factory=Progress)
    is_whole: bool = False

    def __str__(self) -> str:
        counts, took_s = self.counts, time.monotonic() - self.started_s
        rest = "" if self.is_whole else f"; ended early, at {where(self.progress.at, self.begin)}"
        return (
            f"replayed {len(self.plan.spans)} codes: {self.progress.events} events, {counts.holes} holes "
            f"({counts.skipped} events left out behind them), took {took_s:.1f} s{rest}"
        )


async def replay(
    settings: Settings,
    stop: asyncio.Event,
    *,
    stretch: Stretch,
    speed: float,
    prefix: str,
    replace: bool,
) -> int:
    """Publish `stretch` of the database on a tape under `prefix`, `speed` times as fast as it happened.

    Returns:
        0; 130 if it was ended in the middle.

    Raises:
        SettingsError: That tape is the one that the settings name as the live one.
        InvalidKeys: The prefix cannot be used.
        NothingStored: Nothing of the stretch is in the database.
        TapeTaken: There is a tape already.
        StoreError, DatabaseBroken, DatabaseUnavailable: Redis or the database cannot be used.
    """
    keys = Keys(prefix, settings.redis.partitions)
    if prefix == settings.redis.prefix:
        raise SettingsError(f"--prefix {prefix}: that is the live tape's (redis.prefix); a replay needs its own")
    return await unless_stopped(_replay(settings, stretch, speed, keys, may_replace=replace), stop)


async def _replay(settings: Settings, stretch: Stretch, speed: float, keys: Keys, *, may_replace: bool) -> int:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_readonly(settings.store.database))
        playing = _Playing(await _plan(database, stretch), stretch.begin)
        client = await stack.enter_async_context(open_redis(settings.redis))
        tape = await claim(client, keys, Run.new(stretch.begin, stretch.end), may_replace=may_replace)
        trimmer = Trimmer(client, keys, Retention(**settings.retention.model_dump()))
        await _play(database, tape, trimmer, playing, speed)
    return OK


def stretch_of(begin: str | None, end: str | None, day: str | None, codes: Sequence[str]) -> Stretch:
    """The stretch that the flags name.

    Raises:
        SettingsError: They name none.
        InvalidPosition, InvalidCode: A time or a code is none.
    """
    named = frozenset(map(check_code, codes)) or None
    if day is not None and begin is None and end is None:
        midnight = moment_ms(_date(day))
        return Stretch(midnight, midnight + DAY_MS, named)
    if day is not None or begin is None or end is None:
        raise SettingsError("which stretch of the past? Say --day 2026-05-08, or --from and --to")
    stretch = Stretch(moment_ms(begin), moment_ms(end), named)
    if stretch.begin >= stretch.end:
        raise SettingsError(f"--from {begin} is not before --to {end}")
    return stretch


def speed_of(text: str) -> float:
    """`max`, or how much faster than it happened.

    Raises:
        SettingsError: It is neither.
    """
    try:
        speed = math.inf if text == "max" else float(text)
    except ValueError:
        speed = math.nan
    if not speed > 0 or (math.isinf(speed) and text != "max"):
        raise SettingsError(f"--speed {text}: use a number above 0, as 10 for ten times as fast, or max")
    return speed


def _date(text: str) -> str:
    try:
        day = date.fromisoformat(text)
        _ = day + timedelta(days=1)  # there is one after it
        return day.isoformat()
    except (ValueError, OverflowError) as error:
        raise SettingsError(f"--day {text}: write a date as 2026-05-08") from error


async def _plan(database: Database, stretch: Stretch) -> Plan:
    plan = await plan_of(database, stretch)
    if plan is None:
        of_codes = "" if stretch.codes is None else f" of {', '.join(sorted(stretch.codes))}"
        raise NothingStored(
            f"{database.name} has no event{of_codes} from {market_time(stretch.begin)} to {market_time(stretch.end)}, "
            "market time"
        )
    for code in sorted((stretch.codes or frozenset()) - plan.spans.keys()):
        logger.warning("%s: nothing of it is stored", code)
    return plan


async def _play(database: Database, tape: ReplayTape, trimmer: Trimmer, playing: _Playing, speed: float) -> None:
    """One run, shown while it lasts and summed up at its end, whichever that is."""
    plan = playing.plan
    pace = "as fast as it goes" if math.isinf(speed) else f"{speed:g} times as fast"
    await tape.begin(f"replay of {market_time(plan.first_at)} to {market_time(plan.last_at)}, {pace}")
    try:
        async with shown(playing.progress, plan.first_at, plan.last_at):
            found = moments(database, plan, playing.counts)
            run = play(found, tape, plan.first_at, speed, SystemClock(), playing.progress)
            await _beside(run, tape.keep(), _keep_trimmed(trimmer))
        playing.is_whole = True
        await tape.end("the stretch is over")
    except asyncio.CancelledError:
        await tape.end("ended early")
        raise
    finally:
        print(playing)  # noqa: T201


async def _keep_trimmed(trimmer: Trimmer) -> None:
    """A stretch of months is more than a Redis holds: the tape's caps are those of the live one."""
    while True:
        await asyncio.sleep(TRIM_EVERY_S)
        await trimmer.trim(time.time_ns() // 1_000_000)


async def _beside(work: Coroutine[Any, Any, None], *keepers: Coroutine[Any, Any, None]) -> None:
    """Do `work`; a keeper that fails ends it."""
    tasks = [asyncio.create_task(one) for one in (work, *keepers)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end_tasks(tasks)
    for task in done:
        task.result()
