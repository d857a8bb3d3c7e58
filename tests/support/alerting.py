"""Rules over scripted days: what fires."""

from collections.abc import Iterable

from brokertape.tape.changes import apply
from brokertape.tape.events import ChangeEvent, TapeEvent
from brokertape.tape.rows import Row
from brokertape.workers.alerts.alert import Alert
from brokertape.workers.alerts.engine import Engine
from brokertape.workers.alerts.rule_file import parse_rules
from brokertape.workers.alerts.rules import RuleSet


class Judged:
    """An engine fed with events, in order."""

    def __init__(self, rules: RuleSet | str) -> None:
        self.engine = Engine(parse_rules(rules) if isinstance(rules, str) else rules)
        self._rows: dict[str, tuple[Row, ...]] = {}

    def take(self, *events: TapeEvent) -> list[Alert]:
        """What `events` give rise to."""
        return [alert for event in events for alert in self.engine.take(event, self._after(event))]

    def rules_that_fire(self, events: Iterable[TapeEvent]) -> list[tuple[str, str, str]]:
        """Rule, broker and event id of every alert."""
        return [(alert.rule, alert.broker, alert.event_id) for alert in self.take(*events)]

    def _after(self, event: TapeEvent) -> tuple[Row, ...]:
        code = event.data.code
        is_change = isinstance(event, ChangeEvent)
        rows = apply(self._rows[code], event.data.changes) if is_change else event.data.rows  # type: ignore[union-attr]
        self._rows[code] = rows
        return rows
