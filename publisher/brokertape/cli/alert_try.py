"""`brokertape alert try`: rules over a stored stretch, and what would have fired."""

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from brokertape.cli.faults import OK, NothingStored, SettingsError
from brokertape.cli.player import Progress
from brokertape.cli.replay_progress import market_time, shown
from brokertape.cli.settings import Settings
from brokertape.tape.wording import plain
from brokertape.workers.alerts.alert import Alert
from brokertape.workers.alerts.engine import Engine
from brokertape.workers.alerts.rule_file import load_rules
from brokertape.workers.alerts.rules import About, RuleSet
from brokertape.workers.alerts.tally import Tally
from brokertape.workers.storage.database import open_readonly
from brokertape.workers.storage.moments import Happened, Moment, PlaybackCounts
from brokertape.workers.storage.playback import Plan, Stretch, moments, plan_of
from brokertape.workers.storage.port import Database

logger = logging.getLogger("brokertape.cli.alert")


@dataclass(frozen=True, slots=True)
class Wish:
    """Which rules, by name or all, on which stretch, and how to tell."""

    rules: Path
    stretch: Stretch
    names: frozenset[str]
    explain: bool
    as_json: bool


async def try_rules(settings: Settings, *, wish: Wish) -> int:
    """Print every alert of the stretch, then what came of each rule.

    Raises:
        RuleFileError: The rules cannot be used.
        SettingsError: There is no rule of a name.
        NothingStored: Nothing of the stretch is in the database.
        DatabaseBroken, DatabaseUnavailable: The database cannot be used.
    """
    engine = Engine(_chosen(load_rules(wish.rules), wish.names))
    counts = PlaybackCounts()
    async with open_readonly(settings.store.database) as database:
        plan = await _plan(database, wish.stretch)
        told, judged = await _play(database, plan, engine, counts, wish)
    if not wish.as_json:
        _print_tallies(engine.tallies, explain=wish.explain)
        holes = f", {counts.holes} holes ({counts.skipped} events left out)" if counts.holes else ""
        print(f"{told} alert{'s' * (told != 1)} on {judged} events{holes}")  # noqa: T201
    return OK


def _chosen(rules: RuleSet, names: frozenset[str]) -> RuleSet:
    unknown = names - {rule.name for rule in rules.rules}
    if unknown:
        known = ", ".join(rule.name for rule in rules.rules)
        raise SettingsError(f"--rule {min(unknown)}: there is none of that name; there are {known}")
    chosen = [rule for rule in rules.rules if not names or rule.name in names]
    for rule in chosen:
        if rule.about is About.FRESHNESS:
            logger.warning("%s is not tried: looks that found nothing are not stored", rule.name)
    return replace(rules, rules=[rule for rule in chosen if rule.about is not About.FRESHNESS])


async def _plan(database: Database, stretch: Stretch) -> Plan:
    plan = await plan_of(database, stretch)
    if plan is None:
        span = f"{market_time(stretch.begin)} to {market_time(stretch.end)}"
        raise NothingStored(f"{database.name} has no event from {span}, market time")
    return plan


async def _play(database: Database, plan: Plan, engine: Engine, counts: PlaybackCounts, wish: Wish) -> tuple[int, int]:
    """Judge everything from the lists before the stretch on; told and counted is what lies in it: alerts, events."""
    progress, told = Progress(), 0
    async with shown(progress, plan.first_at, plan.last_at, "judged"):
        async for moment in moments(database, plan, counts):
            if moment.at >= wish.stretch.begin and not progress.events:
                engine.count_anew()
            for alert in _judge(engine, moment):
                if alert.at >= wish.stretch.begin:
                    _print(alert, wish)
                    told += 1
            progress.at = moment.at
            progress.events += isinstance(moment, Happened) and moment.at >= wish.stretch.begin
    return told, progress.events


def _judge(engine: Engine, moment: Moment) -> Iterable[Alert]:
    if isinstance(moment, Happened):
        return engine.take(moment.stored.event, moment.rows)
    return engine.see(moment.code, moment.at)


def _print(alert: Alert, wish: Wish) -> None:
    if wish.as_json:
        print(msgspec.json.encode(alert).decode())  # noqa: T201
        return
    print(f"{market_time(alert.at)}  {alert.message}")  # noqa: T201
    if wish.explain:
        seen = ", ".join(f"{name} = {plain(_shown(value))}" for name, value in alert.values.items())
        print(f"    {alert.id}\n    {seen or 'its condition asks nothing'}")  # noqa: T201


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _print_tallies(tallies: dict[str, Tally], *, explain: bool) -> None:
    if not explain:
        return
    console = Console(highlight=False)
    console.print(_table(tallies))
    for name, tally in tallies.items():
        for reason, count in tally.no_answers.most_common():
            console.print(Text(plain(f"{name}: {count} times no answer, so no match: {reason}")))


def _table(tallies: dict[str, Tally]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("rule")
    for heading in ("asked", "held", "fired", "in cooldown", "no answer"):
        table.add_column(heading, justify="right")
    for name, tally in tallies.items():
        numbers = (tally.judged, tally.held, tally.fired, tally.cooling, tally.no_answers.total())
        table.add_row(Text(name), *(f"{number:,}" for number in numbers))
    return table
