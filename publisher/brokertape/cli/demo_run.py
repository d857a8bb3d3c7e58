"""One run of the demo: its parts started, watched and ended in order, then what they did compared."""

import asyncio
import math
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from brokertape.cli.demo_alerts import compare_alerts, write_rules
from brokertape.cli.demo_check import Report, check
from brokertape.cli.demo_screen import demo_view, summary
from brokertape.cli.demo_watcher import DemoWatcher
from brokertape.cli.faults import DemoFailed
from brokertape.cli.parts import Part, running_part
from brokertape.cli.redis_link import open_redis
from brokertape.cli.redis_server import RedisServer
from brokertape.cli.settings import RedisGroup
from brokertape.cli.tape_state import read_groups
from brokertape.simulator.instruments import KNOWN
from brokertape.tape.connection import RedisClient
from brokertape.tape.keys import Keys
from brokertape.tape.tasks import end_tasks

CODES = tuple(instrument.code for instrument in KNOWN[:12])
PAST_CODES = CODES[:3]
PAST_DAYS = 2
KEYS = Keys()

FRAME_EVERY_S = 0.5
SUMMARY_EVERY_S = 5.0
LOOK_EVERY_S = 0.1
FIRST_EVENT_TIMEOUT_S = 60.0
DRAIN_TIMEOUT_S = 20.0
JOIN_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class _Parts:
    """The processes, in the order in which they end."""

    publisher: Part
    storage: Part
    alerting: Part
    simulator: Part

    @property
    def all(self) -> tuple[Part, ...]:
        """Every one."""
        return self.publisher, self.storage, self.alerting, self.simulator


class DemoRun:
    """A run with all its files in the empty `directory`, shown on `console`, its Redis on `port` of this host.

    `elapsed_s`: for how long it polled.
    """

    def __init__(self, directory: Path, console: Console, port: int) -> None:
        self._directory = directory
        self._port = port
        self._console = console
        self._answers = directory / "answers.jsonl"
        self._database = directory / "tape.db"
        self._rules = directory / "rules.toml"
        self._alerts = directory / "alerts.jsonl"
        self.elapsed_s = 0.0

    async def until(self, stop: asyncio.Event, seconds: float | None) -> Report:
        """Run until `stop` is set or for `seconds`, end everything, and compare.

        Raises:
            ServerError, DemoFailed: A part did not come up, or did not end as it should.
        """
        async with AsyncExitStack() as stack:
            server = stack.enter_context(RedisServer(self._directory / "redis", port=self._port))
            client = await stack.enter_async_context(open_redis(RedisGroup.model_validate({"url": server.url})))
            address, parts = await self._start(stack, server.url, client, stop)
            watcher = DemoWatcher(client, KEYS, CODES, address, self._answers, self._database)
            await _while_running(parts, self._show(watcher, stop, seconds))
            if not self.elapsed_s:
                return Report()  # ended before it began: there is nothing to end in order
            stopped_ms = time.time_ns() // 1_000_000
            await parts.publisher.stop()
            await _drain(client)
            await parts.storage.stop()
            await parts.alerting.stop()
            await parts.simulator.stop()
        report = check(self._answers, self._database, stopped_ms)
        alerts = compare_alerts(self._database, self._rules, self._alerts)
        report.faults += alerts.faults
        report.alerts, report.last_alert = alerts.told, alerts.last
        return report

    async def _start(
        self, stack: AsyncExitStack, redis_url: str, client: RedisClient, stop: asyncio.Event
    ) -> tuple[str, _Parts]:
        """The gateway's address, and everything running."""
        start = partial(running_part, directory=self._directory)
        market = ("--codes", ",".join(CODES), "--start", "busy", "--log", str(self._answers))
        simulator = await stack.enter_async_context(start("simulate", "--port", "0", *market))
        storage = await stack.enter_async_context(
            start("store", "--redis", redis_url, "--database", str(self._database))
        )
        address = await simulator.first_line()
        source = ("--gateway", address, "--redis", redis_url)
        # Before the publisher, which leaves nothing of the budget to past days while the market trades.
        what = f"{len(PAST_CODES)} codes, {PAST_DAYS} days each"
        self._console.print(f"asking for past days first: {what}", markup=False)
        past = await stack.enter_async_context(start("history", *PAST_CODES, "--days", str(PAST_DAYS), *source))
        await past.finish(stop)
        write_rules(self._rules, self._alerts)
        alerting = await stack.enter_async_context(
            start("alert", "--redis", redis_url, "--rules", str(self._rules), "--lease", "1")
        )
        await _joined(client, stop)  # what is published before a group begins is nothing that it judges
        publisher = await stack.enter_async_context(
            start("publish", *source, "--codes", ",".join(CODES), "--publisher", "demo")
        )
        return address, _Parts(publisher, storage, alerting, simulator)

    async def _show(self, watcher: DemoWatcher, stop: asyncio.Event, seconds: float | None) -> None:
        """Show how things stand until `stop` is set or `seconds` have passed since the first event."""
        if not await _first_event(watcher, stop):
            return
        ends = "Ctrl-C ends it" if seconds is None else f"ends after {seconds:g} s"
        self._console.print(f"the tape is at redis://localhost:{self._port}", markup=False)
        show = self._show_live if self._console.is_terminal else self._show_lines
        ended = asyncio.Event()
        following = asyncio.create_task(watcher.follow_tape(ended))
        began_s = time.monotonic()
        try:
            await show(watcher, stop, math.inf if seconds is None else began_s + seconds, ends)
        finally:
            self.elapsed_s = time.monotonic() - began_s
            ended.set()
            await asyncio.wait([following])
        following.result()

    async def _show_live(self, watcher: DemoWatcher, stop: asyncio.Event, ends_at_s: float, ends: str) -> None:
        with Live(console=self._console, auto_refresh=False, screen=True) as live:
            goes_on = True
            while goes_on:
                live.update(demo_view(await watcher.look(), ends), refresh=True)
                goes_on = await _goes_on(stop, ends_at_s, FRAME_EVERY_S)

    async def _show_lines(self, watcher: DemoWatcher, stop: asyncio.Event, ends_at_s: float, ends: str) -> None:
        goes_on = True
        while goes_on:
            self._console.print(f"{summary(await watcher.look())}; {ends}", markup=False)
            for line in watcher.take_lines():
                self._console.print(f"  {line}", markup=False)
            goes_on = await _goes_on(stop, ends_at_s, SUMMARY_EVERY_S)


async def _while_running(parts: _Parts, work: Coroutine[Any, Any, None]) -> None:
    """Do `work`; a part that ends meanwhile ends it, with DemoFailed."""
    tasks = [asyncio.create_task(part.watch()) for part in parts.all]
    tasks.append(asyncio.create_task(work))
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end_tasks(tasks)
    for task in done:
        task.result()


async def _joined(client: RedisClient, stop: asyncio.Event) -> None:
    """Until the rules' group is on every partition, or `stop` is set."""
    deadline = time.monotonic() + JOIN_TIMEOUT_S
    for tape in KEYS.tapes():
        while not stop.is_set() and not await _has_group(client, tape):
            if time.monotonic() > deadline:
                raise DemoFailed(f"the alerting worker did not begin within {JOIN_TIMEOUT_S:.0f} s")
            await _pause(stop, LOOK_EVERY_S)


async def _has_group(client: RedisClient, tape: str) -> bool:
    if not await client.exists(tape):
        return False
    infos: list[dict[str, Any]] = await client.xinfo_groups(tape)
    return any(info["name"] == b"alerts" for info in infos)


async def _first_event(watcher: DemoWatcher, stop: asyncio.Event) -> bool:
    """Wait for it; False if `stop` is set before."""
    deadline = time.monotonic() + FIRST_EVENT_TIMEOUT_S
    while not stop.is_set():
        if (await watcher.look()).books:
            return True
        if time.monotonic() > deadline:
            raise DemoFailed(f"nothing was published within {FIRST_EVENT_TIMEOUT_S:.0f} s")
        await _pause(stop, LOOK_EVERY_S)
    return False


async def _drain(client: RedisClient) -> None:
    """Until the workers have handled and acknowledged everything: the tape, and what the rules found."""
    deadline = time.monotonic() + DRAIN_TIMEOUT_S
    while True:
        groups = await read_groups(client, KEYS, now=0)
        if groups and not any(group.lag or group.pending for group in groups):
            return  # the sinks too: what the rules find is with them before the rules are done with the event
        if time.monotonic() > deadline:
            raise DemoFailed(f"the workers did not catch up within {DRAIN_TIMEOUT_S:.0f} s: {groups}")
        await asyncio.sleep(LOOK_EVERY_S)


async def _goes_on(stop: asyncio.Event, ends_at_s: float, every_s: float) -> bool:
    """Wait for the next look; False once `stop` is set or the time has come. No call is ever cut short by it."""
    await _pause(stop, min(every_s, ends_at_s - time.monotonic()))
    return not stop.is_set() and time.monotonic() < ends_at_s


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    """That long, or until `stop` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
