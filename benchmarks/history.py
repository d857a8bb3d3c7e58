"""What past days cost the live list: nothing while it has work; and what they get of the budget when it has none.

Virtual time first: a live list that always has work, an idle one, and one that wakes up, each alone and beside
processes that fill past days without end. Then real minutes: a publisher of our own on a simulated gateway, alone and
beside `brokertape history`. Shows nothing about a real gateway's own clock.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from brokertape.cli.redis_server import RedisServer
from brokertape.publisher.lane import Lane
from brokertape.simulator.virtual_time import run_virtual
from support.budget_load import violations
from support.lanes import PAST, Hours, Shares, budgets, share
from support.stand import CODES, Stand, kill, stand
from support.waiting import until

HOUR_S = 3600.0
OPENS_S = 600.0
MINUTE_S = 60.0
REAL_WINDOW_S = 30.0
TRADES_PER_S = 3.0  # a past day is traded when it is asked for: at more the simulator itself would hold live up
LEAD_S = 15.0  # for so long past days have the real budget to themselves before the publisher starts
HEADROOM_ONLY = Lane(headroom=3, quiet_s=1e-6)


@dataclass(frozen=True, slots=True)
class Case:
    """When live has work, when past days are asked for, and what is looked at from when on."""

    name: str
    live: Hours
    past: Hours
    from_s: float
    seconds: float
    lane: Lane = PAST


def cases(hours: int) -> Iterator[Case]:
    """The rows of the table."""
    end_s, woken_s = hours * HOUR_S, OPENS_S + MINUTE_S
    yield Case("live always has work", [(0, end_s)], [(0, end_s)], 0, end_s)
    yield Case("live idle", [], [(0, end_s)], 0, end_s)
    opens = [(OPENS_S, woken_s)]
    yield Case("market opens", opens, [(0, woken_s)], OPENS_S, MINUTE_S)
    yield Case("opens, past days since 10 s", opens, [(OPENS_S - 10, woken_s)], OPENS_S, MINUTE_S)
    yield Case("both start at once", opens, [(OPENS_S - 0.01, woken_s)], OPENS_S, MINUTE_S)
    yield Case("the same, headroom alone", opens, [(OPENS_S - 0.01, woken_s)], OPENS_S, MINUTE_S, HEADROOM_ONLY)


def virtual_table(hours: int) -> None:
    """Requests by lane, and how long live waited, with none, one and three processes that fill."""
    print(f"\nhistory, virtual time, jitter to 100 ms each way; a minute or {hours} hours each")
    print(
        f"{'':<30} {'fillers':>7} {'live':>6} {'past':>6} {'past/30 s':>9} {'longest live wait':>18} {'violations':>11}"
    )
    for case in cases(hours):
        for fillers in (0, 1, 3):
            shares = run_virtual(_shares(case, fillers))
            live, past = _counts(case, shares)
            wait_s = shares.longest_wait_s(case.from_s, case.from_s + case.seconds)
            print(
                f"{case.name:<30} {fillers:>7} {live:>6} {past:>6} {past / case.seconds * 30:>9.2f} "
                f"{wait_s:>16.2f} s {violations(shares.received):>11}"
            )


async def _shares(case: Case, fillers: int) -> Shares:
    live, behind = budgets(fillers, case.lane)
    return await share(live, behind, case.from_s + case.seconds, case.live, past_hours=case.past)


def _counts(case: Case, shares: Shares) -> tuple[int, int]:
    end_s = case.from_s + case.seconds
    return shares.count(shares.live, case.from_s, end_s), shares.count(shares.past, case.from_s, end_s)


async def real_minute(seconds: float, *, beside: bool) -> None:
    """A publisher from its first poll on, beside a process that has been filling for a while, or alone."""
    with tempfile.TemporaryDirectory(prefix="bt") as directory, RedisServer(Path(directory) / "r") as server:
        async with stand(Path(directory), server, REAL_WINDOW_S, TRADES_PER_S) as place:
            filling = await _start_history(place) if beside else None
            before = len(place.gateway.received_s)
            await place.start_publisher("live")
            await until(lambda: _answers(place, is_past=False))
            await asyncio.sleep(seconds)
            if filling is not None:
                await kill(filling)
            live, past = (_answers(place, is_past=is_past) for is_past in (False, True))
    refused = sum(answer["ret_type"] != 0 for answer in (*live, *past))
    began_ms = live[0]["received_ms"]
    moments = [at / 1000 for answer in live if (at := answer["received_ms"]) < began_ms + 1000 * seconds]
    meanwhile = sum(answer["received_ms"] >= began_ms for answer in past)
    gap_s = max(later - earlier for earlier, later in pairwise(moments))
    what = f"beside a filler ({before} past days asked for in {LEAD_S:.0f} s before)" if beside else "alone"
    print(f"publisher {what}: {len(moments)} live, {meanwhile} past, longest gap {gap_s:.2f} s, {refused} refused")


async def _start_history(place: Stand) -> asyncio.subprocess.Process:
    """`brokertape history` with more to ask for than there is time."""
    with (place.directory / "history.err").open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "brokertape.cli", "history", *CODES, "--days", "200", "--account", "test"),
            *("--gateway", f"127.0.0.1:{place.gateway.port}", "--redis", place.redis_url),
            *("--limit", "30", "--window", str(place.window_s), "--request-timeout", "1"),
            env=os.environ,
            stderr=stderr,
        )
    await place.polls(1)
    await asyncio.sleep(LEAD_S)
    return process


def _answers(place: Stand, *, is_past: bool) -> list[dict[str, int]]:
    """The gateway's answers for past days, or for the live list."""
    lines = place.log.read_text().splitlines() if place.log.exists() else []
    return [answer for answer in map(json.loads, lines) if (answer["days_before"] > 0) == is_past]


def run(hours: int, real_seconds: float) -> None:
    """Both parts; 0 seconds leaves the real one out."""
    virtual_table(hours)
    if real_seconds:
        print(f"\nhistory, {real_seconds:.0f} real seconds each, jitter to 100 ms each way")
        for beside in (False, True):
            asyncio.run(real_minute(real_seconds, beside=beside))
