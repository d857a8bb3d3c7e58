"""An alerting worker as a process of its own, for tests that kill it.

    python -m support.alert_process REDIS_URL RULES CONSUMER

SIGTERM stops it in good order.
"""

import asyncio
import signal
import sys
from pathlib import Path

from brokertape.workers import WorkerSettings
from brokertape.workers.alerts.alerting import AlertSettings, alert
from support.forking import Process, start_module

NEVER_LATE_S = 1e9  # the days of tests are long gone


def start(url: str, rules: Path, consumer: str) -> Process:
    """Start one."""
    return start_module("support.alert_process", url, str(rules), consumer)


def stop(process: Process) -> int:
    """Stop one in good order; its exit code."""
    process.terminate()
    return process.wait(20)


def settings(url: str, rules: Path, consumer: str, late_after_s: float = NEVER_LATE_S) -> AlertSettings:
    """A quick worker."""
    worker = WorkerSettings(
        group="alerts",
        consumer=consumer,
        batch_size=20,
        block_ms=50,
        retry_first_s=0.02,
        retry_most_s=0.1,
        min_idle_ms=400,
        upkeep_every_s=0.1,
        lease_s=0.6,
        max_attempts=3,
    )
    return AlertSettings(redis_url=url, rules=rules, late_after_s=late_after_s, worker=worker)


async def main(url: str, rules: str, consumer: str) -> None:
    """Run until SIGTERM."""
    stop_event = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop_event.set)
    await alert(settings(url, Path(rules), consumer), stop_event)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
