"""The alerting worker as a whole: rules on the tape, and one worker a sink on what they find."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from brokertape.tape.backoff import is_set_within
from brokertape.tape.connection import connect
from brokertape.tape.keys import DEFAULT_PREFIX
from brokertape.tape.tasks import run_all
from brokertape.workers.alert_keys import AlertKeys, sink_group
from brokertape.workers.alerts.event import Told
from brokertape.workers.alerts.figures import figures_of
from brokertape.workers.alerts.judging import Judging, JudgingCounts
from brokertape.workers.alerts.ledger import Ledger
from brokertape.workers.alerts.outbox import OUTBOX
from brokertape.workers.alerts.rule_watch import RuleWatch
from brokertape.workers.alerts.sinks.message import Sink
from brokertape.workers.alerts.sinks.outlet import Outlet, OutletCounts
from brokertape.workers.alerts.sinks.table import SinkTable
from brokertape.workers.alerts.watermarks import Watermarks
from brokertape.workers.channel import TAPE
from brokertape.workers.endpoint import serve_endpoint
from brokertape.workers.errors import SinkUnavailable
from brokertape.workers.figures import Figure
from brokertape.workers.meta import find_tape
from brokertape.workers.service import Service
from brokertape.workers.settings import WorkerSettings

log = logging.getLogger("brokertape.workers.alerts")

DEFAULT_GROUP = "alerts"
TEND_EVERY_S = 0.5
SINK_CALL_S = 150.0
NEW_SINK_SEES = timedelta(minutes=10)  # a sink that never was before is told what was found since so long


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """What an alerting worker needs.

    Args:
        redis_url: Where the tape is; see `tape.connection.connect`.
        rules: The file of rules and sinks. Rules are read again when it changes; sinks at the start only.
        prefix: The tape's key prefix.
        late_after_s: What is older than this when it is found, or when a sink can take it, is told in a digest.
        endpoint: `(host, port)` at which metrics and health are served; None for nowhere.
        worker: Group, consumer name and limits. The group has no dot in its name; it always works in order, undivided.
    """

    redis_url: str = field(repr=False)  # it may hold a password
    rules: Path
    prefix: str = DEFAULT_PREFIX
    late_after_s: float = 60.0
    endpoint: tuple[str, int] | None = None
    worker: WorkerSettings = field(default_factory=lambda: WorkerSettings(group=DEFAULT_GROUP))

    @property
    def judging(self) -> WorkerSettings:
        """The rules' worker: all partitions in one hand, beginning with the books."""
        return replace(self.worker, ordered=True, undivided=True, start="baseline", since=None, concurrency=1)

    def of_sink(self, sink: SinkTable) -> WorkerSettings:
        """A sink's worker: in order, one call at a time. A call may wait for the sink's limit, a minute at most."""
        return replace(
            self.worker,
            group=sink_group(self.worker.group, sink.name),
            ordered=True,
            since=datetime.now(UTC) - NEW_SINK_SEES,
            concurrency=1,
            handler_timeout_s=SINK_CALL_S,
        )


@dataclass(slots=True)
class AlertCounts:
    """Counters of the parts; they only rise."""

    judging: JudgingCounts = field(default_factory=JudgingCounts)
    outlets: dict[str, OutletCounts] = field(default_factory=dict)
    """By sink."""


async def alert(settings: AlertSettings, stop: asyncio.Event, counts: AlertCounts | None = None) -> AlertCounts:
    """Judge the tape by the rules and tell the sinks, until `stop` is set; then finish what is in hand.

    Args:
        settings: Where from, by which rules.
        stop: Ends it.
        counts: To count into; the caller may show it meanwhile. New ones unless given.

    Raises:
        RuleFileError, SinkError: The file of rules cannot be used as it is: one line that says why.
        TapeMismatch, StoreRefused, InvalidKeys: The tape cannot.
    """
    counts = counts or AlertCounts()
    watch = RuleWatch(settings.rules)
    rules = watch.load()
    async with AsyncExitStack() as stack:
        sinks = {table.name: (table, table.open()) for table in rules.sinks}
        for _, sink in sinks.values():
            stack.push_async_callback(sink.close)
        client = connect(settings.redis_url)
        stack.push_async_callback(client.aclose)
        keys = await find_tape(client, settings.prefix, stop)
        if keys is None:
            return counts
        group = settings.worker.group
        judging = Judging(
            Ledger(client, AlertKeys(keys, group)),
            rules,
            source=f"/brokertape/{settings.prefix}/alerts/{group}",
            group=group,
            late_after_ms=round(settings.late_after_s * 1000),
            now_ms=now_ms,
            counts=counts.judging,
        )
        judge = Service(judging.handle, settings.judging, TAPE)
        judge.books(judging.begin)
        outlets = [_outlet(settings, table, sink, stop, counts) for table, sink in sinks.values()]

        def token() -> int | None:
            return judge.state.token

        def figures() -> Iterable[Figure]:
            return figures_of(group, counts.judging, counts.outlets)

        async with serve_endpoint(settings.endpoint, [judge, *outlets], figures):
            await run_all(
                [
                    judge.serve(settings.redis_url, stop, prefix=settings.prefix),
                    *(outlet.serve(settings.redis_url, stop, prefix=settings.prefix) for outlet in outlets),
                    _tend(judging, token, stop),
                    Watermarks(client, keys).follow(judging.see, token, stop),
                    watch.follow(judging.use, stop),
                ]
            )
    return counts


def now_ms() -> int:
    """ms since 1970."""
    return time.time_ns() // 1_000_000


def _outlet(
    settings: AlertSettings, table: SinkTable, sink: Sink, stop: asyncio.Event, counts: AlertCounts
) -> Service[Told]:
    outlet = Outlet(
        sink,
        stop,
        group=settings.worker.group,
        per_minute=table.limit,
        late_after_ms=round(settings.late_after_s * 1000),
        now_ms=now_ms,
    )
    counts.outlets[table.name] = outlet.counts
    service = Service(outlet.handle, settings.of_sink(table), OUTBOX)
    service.state.call_patience_s = SINK_CALL_S
    return service


async def _tend(judging: Judging, token: Callable[[], int | None], stop: asyncio.Event) -> None:
    """What has to be told once nothing more comes, while the lease with `token` is ours."""
    while not await is_set_within(stop, TEND_EVERY_S):
        if (ours := token()) is not None:
            try:
                await judging.tell_late(ours)
            except SinkUnavailable as error:
                log.info("late alerts are not told yet: %s", error)
