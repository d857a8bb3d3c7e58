"""`brokertape demo`: the whole product on a simulated gateway and a real server, and proof that nothing was lost."""

import asyncio
import contextlib
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from brokertape.cli.demo_check import Report
from brokertape.cli.demo_run import DemoRun
from brokertape.cli.faults import OK, UNHEALTHY, SettingsError
from brokertape.cli.settings import Settings
from brokertape.tape.wording import plain

SHOWN_FAULTS = 10
LOOPBACK = "127.0.0.1"
DEMO_PORT = 6390  # not Redis' own 6379, which may well be taken; the README's lines connect to it

# What must have happened, per minute; in less than JUDGED_FROM_S, only that something did. The first round, which
# can find no change, takes CHANGES_FROM_S.
POLLS_PER_MIN = 50
CHANGES_PER_MIN = 25
JUDGED_FROM_S = 25.0
CHANGES_FROM_S = 15.0


async def demo(
    _settings: Settings, stop: asyncio.Event, *, seconds: float | None, keep: Path | None, port: int | None
) -> int:
    """Run everything until `stop` is set or for `seconds`; then end it in order and check every value stored.

    The tape can be read meanwhile, from this host: on `port`, by default DEMO_PORT, or any other if that is taken.

    Returns:
        0, or 1 if too little happened, or anything is missing, doubled or altered.

    Raises:
        ServerError: No Redis server is found.
        DemoFailed: A part did not come up, or did not end as it should.
    """
    console = Console(highlight=False, soft_wrap=True)
    directory = _new_directory(keep)
    is_well = False
    try:
        run = DemoRun(directory, console, free_port(port))
        report = await run.until(stop, seconds)
        # Whoever ends it early knows why little happened.
        faults = [*report.faults, *([] if stop.is_set() else too_little(report, run.elapsed_s))]
        _print_verdict(console, report, faults)
        is_well = not faults
    finally:
        if is_well and keep is None:
            shutil.rmtree(directory)
        else:
            console.print(f"what was sent, said and stored is in {directory}", markup=False)
    return OK if is_well else UNHEALTHY


def too_little(report: Report, elapsed_s: float) -> Iterator[str]:
    """A demo in which next to nothing happened proves nothing."""
    minutes = elapsed_s / 60 if elapsed_s >= JUDGED_FROM_S else 0
    least_polls = max(1, round(minutes * POLLS_PER_MIN))
    least_changes = max(1 if elapsed_s >= CHANGES_FROM_S else 0, round(minutes * CHANGES_PER_MIN))
    for what, count, least in (("polls", report.polls, least_polls), ("changes", report.changes, least_changes)):
        if count < least:
            yield f"{count} {what} in {elapsed_s:.0f} s, at least {least} were due"


def free_port(port: int | None) -> int:
    """`port`, if it can be listened on; without a wish, DEMO_PORT or any other.

    Raises:
        SettingsError: Somebody else has the port that was asked for.
    """
    for wish in (DEMO_PORT, 0) if port is None else (port,):
        with contextlib.suppress(OSError), socket.create_server((LOOPBACK, wish)) as listening:
            return int(listening.getsockname()[1])
    raise SettingsError(f"--port {port}: something else listens there, choose another or leave it out")


def _new_directory(keep: Path | None) -> Path:
    """An empty directory: what an earlier demo left would be taken for this one's."""
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="brokertape-"))
    try:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise SettingsError(f"--keep {keep}: choose a directory that is empty or not there")
    except OSError as error:
        raise SettingsError(f"--keep {keep}: {error.strerror}") from error
    return keep.resolve()


def _print_verdict(console: Console, report: Report, faults: Sequence[str]) -> None:
    console.print(
        f"{report.polls} polls of {report.codes} codes gave {report.tables} different tables; "
        f"{report.events} events are stored, {report.changes} of them changes, and {report.past_days} past days"
    )
    last = f", the last: {plain(report.last_alert)}" if report.last_alert else ""
    console.print(f"{report.alerts} alerts were told{last}", markup=False)
    if report.in_flight:
        console.print(f"{report.in_flight} answers were in flight when the publisher was stopped, and came to nothing")
    for fault in faults[:SHOWN_FAULTS]:
        console.print(f"FAULT: {fault}", style="bold red", markup=False)
    if len(faults) > SHOWN_FAULTS:
        console.print(f"and {len(faults) - SHOWN_FAULTS} more faults", style="bold red")
    if not faults:
        console.print("nothing is missing, doubled or altered", style="bold green")
