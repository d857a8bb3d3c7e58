"""The demo's rules: what they should have found in what is stored, beside what the alerting worker told."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brokertape.tape.codec import load
from brokertape.tape.events import TapeEvent
from brokertape.workers.alerts.engine import Engine
from brokertape.workers.alerts.following import NoList, rows_after
from brokertape.workers.alerts.rule_file import load_rules
from brokertape.workers.alerts.rules import About
from brokertape.workers.alerts.samples import sample_text
from brokertape.workers.alerts.state import CodeState

_MORE = """
[[rule]]
name = "turns"
text = "Whoever turns from buyer to seller or back: so that there is something to see"
when = "turned"

[[sink]]
name = "file"
kind = "file"
path = "{path}"
"""


@dataclass(slots=True)
class AlertReport:
    """What was compared, and every fault found."""

    told: int = 0
    last: str = ""
    faults: list[str] = field(default_factory=list)


def write_rules(rules: Path, told: Path) -> None:
    """The sample rules and one that surely fires, telling the file `told`."""
    rules.write_text(sample_text() + _MORE.format(path=told))


def compare_alerts(database: Path, rules: Path, told: Path) -> AlertReport:
    """Every alert that the stored events give rise to was told, once, and nothing else.

    Rules across codes depend on the order in which the events of different codes were read, and those about freshness
    on looks that found nothing, which are not stored: theirs are only not to be told twice.
    """
    report = AlertReport()
    found = list(_told(told))
    report.told, report.last = len(found), str(found[-1]["message"]) if found else ""
    loaded = load_rules(rules)
    exact = {rule.name for rule in loaded.rules if not rule.about.is_basket and rule.about is not About.FRESHNESS}
    counts = Counter(str(alert["id"]) for alert in found)
    due = {one.id for one in _due(database, Engine(loaded)) if one.rule in exact}
    known = {str(alert["id"]) for alert in found if alert["rule"] in exact}
    report.faults += [f"alert {one} was told {count} times" for one, count in counts.items() if count > 1]
    report.faults += [f"alert {one} was not told" for one in sorted(due - known)]
    report.faults += [f"alert {one} was told for nothing" for one in sorted(known - due)]
    return report


def _due(database: Path, engine: Engine) -> Iterator[Any]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        for (payload,) in connection.execute("select payload from events order by published_at, code, seq"):
            event = load(payload.encode())
            assert isinstance(event, TapeEvent)
            code = engine.memory.codes.setdefault(event.data.code, CodeState())
            rows = rows_after(code.known, event)
            if not isinstance(rows, NoList):
                yield from engine.take(event, rows)


def _told(path: Path) -> Iterator[dict[str, Any]]:
    """The alerts in the sink's file, those within digests too."""
    if path.exists():
        for line in map(json.loads, path.read_bytes().splitlines()):
            yield from line["data"].get("alerts", [line["data"]])
