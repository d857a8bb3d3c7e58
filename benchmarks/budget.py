"""How much of the gateway's limit the budget uses, and how often it would be refused.

Virtual hours of publishers that always have something to ask; then minutes of a real one, killed in the middle, its
requests counted where the gateway receives them. Shows nothing about a real gateway's own clock.
"""

import asyncio
import math
import tempfile
import time
from pathlib import Path

from brokertape.cli.redis_server import RedisServer
from brokertape.simulator.virtual_time import run_virtual
from support.budget_load import (
    WINDOW_S,
    CountingGateway,
    budgets_on_one_redis,
    spend,
    spend_together,
    use_of,
    violations,
    virtual_budget,
)
from support.stand import kill, stand

HOUR_S = 3600


def virtual_hours(hours: int, shared_hours: int) -> None:
    """The table: jitter and stalls of one process whose window is in memory, then processes on one in Redis."""
    print("\nbudget, virtual time, always hungry, replies that stall take 1 s more")
    print(f"{'processes':22} {'hours':>5} {'jitter each way':>16} {'stalls':>7} {'use':>7} {'violations':>11}")
    for jitter_ms, stalls in ((0, 0.0), (20, 0.0), (100, 0.0), (0, 0.01), (20, 0.01), (100, 0.01)):
        received = run_virtual(spend(virtual_budget(), hours * HOUR_S, jitter_ms / 1000, stalls))
        print_row("one, window in memory", received, hours, jitter_ms, stalls)
    for name, processes, crash_every_s in (
        ("one", 1, math.inf),
        ("two", 2, math.inf),
        ("one, crash every 2 min", 1, 120.0),
        ("two, crash every 2 min", 2, 120.0),
    ):
        gateway, seconds = CountingGateway(0.1, 0.01), shared_hours * HOUR_S
        spending = spend_together(budgets_on_one_redis(), gateway, seconds, processes, crash_every_s=crash_every_s)
        print_row(name, run_virtual(spending), shared_hours, 100, 0.01)


def print_row(name: str, received: list[float], hours: int, jitter_ms: int, stalls: float) -> None:
    """One line of the table."""
    print(
        f"{name:22} {hours:>5} {jitter_ms:>13} ms {stalls:>7.0%} {use_of(received, hours * HOUR_S):>7.4f} "
        f"{violations(received):>11}",
        flush=True,
    )


async def real_minutes(seconds: float) -> None:
    """A real publisher at the real limit, killed and started again half-way."""
    with tempfile.TemporaryDirectory(prefix="bt") as directory, RedisServer(Path(directory) / "r") as server:
        async with stand(Path(directory), server, WINDOW_S) as place:
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


def run(hours: int, shared_hours: int, real_seconds: float) -> None:
    """Both parts; 0 seconds leaves the real one out."""
    virtual_hours(hours, shared_hours)
    if real_seconds:
        asyncio.run(real_minutes(real_seconds))
