"""How much of the gateway's limit the budget uses, and how often it would be refused.

Virtual hours of a publisher that always has something to ask; then minutes of a real one, killed in the middle, its
requests counted where the gateway receives them. Shows nothing about a real gateway's own clock.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from brokertape.cli.redis_server import RedisServer
from brokertape.simulator.virtual_time import run_virtual
from support.budget_load import spend, violations, virtual_budget
from support.stand import LIMIT, kill, stand

HOUR_S = 3600
REAL_WINDOW_S = 30.0


def use_of(received: list[float], seconds: float) -> float:
    """Share of the limit used after the first window, whose slots were all free."""
    return sum(at > REAL_WINDOW_S for at in received) / (seconds - REAL_WINDOW_S) * REAL_WINDOW_S / LIMIT


def virtual_hours(hours: int) -> None:
    """The table of jitter and stalls."""
    print(f"\nbudget, {hours} virtual hours each, always hungry")
    print(f"{'jitter each way':>16} {'stalls of 1 s':>14} {'use':>7} {'violations':>11}")
    for jitter_ms, stalls in ((0, 0.0), (20, 0.0), (100, 0.0), (0, 0.01), (20, 0.01), (100, 0.01)):
        received = run_virtual(spend(virtual_budget(), hours * HOUR_S, jitter_ms / 1000, stalls))
        use = use_of(received, hours * HOUR_S)
        print(f"{jitter_ms:>13} ms {stalls:>14.0%} {use:>7.4f} {violations(received):>11}")


async def real_minutes(seconds: float) -> None:
    """A real publisher at the real limit, killed and started again half-way."""
    with tempfile.TemporaryDirectory(prefix="bt") as directory, RedisServer(Path(directory) / "r") as server:
        async with stand(Path(directory), server, REAL_WINDOW_S) as place:
            first = await place.start_publisher("first")
            await place.polls(1)
            began_s = time.monotonic()
            await asyncio.sleep(seconds / 2)
            await kill(first)
            killed_at_s = time.monotonic()
            await place.start_publisher("second")
            await place.polls(1)
            down_s = time.monotonic() - killed_at_s
            await asyncio.sleep(seconds / 2 - down_s)
            received = [at - began_s for at in place.gateway.received_s if at - began_s <= seconds]
    print(f"\nbudget, {seconds:.0f} real seconds, jitter to 100 ms each way, one kill -9 half-way")
    print(f"requests {len(received)}, use {use_of(received, seconds):.4f}, down after the kill {down_s:.1f} s")
    print(f"violations {violations(sorted(received))}")


def run(hours: int, real_seconds: float) -> None:
    """Both parts; 0 seconds leaves the real one out."""
    virtual_hours(hours)
    if real_seconds:
        asyncio.run(real_minutes(real_seconds))
