"""What alerting counts, for Prometheus: of the tape it judges, of every rule, and of every sink."""

from collections.abc import Iterator, Mapping

from brokertape.workers.alerts.judging import JudgingCounts
from brokertape.workers.alerts.sinks.outlet import OutletCounts
from brokertape.workers.alerts.tally import Tally
from brokertape.workers.figures import Figure

_JUDGING = {
    "events": "Events judged.",
    "alerts": "Alerts found, late ones included.",
    "late": "Alerts that were old when they were found.",
    "digests": "Digests of late alerts.",
    "gaps": "Times events had been missed and a list was read from its book.",
}
_RULE = {
    "judged": "Times a condition was asked.",
    "held": "Times it held.",
    "fired": "Alerts it gave rise to.",
    "cooling": "Alerts it would have given rise to but for a cooldown.",
}
_NO_ANSWER = "Times a condition had no answer, by reason."
_SINK = {"sent": "Messages that the sink confirmed.", "digests": "Of them, those that tell several alerts."}


def figures_of(group: str, judging: JudgingCounts, outlets: Mapping[str, OutletCounts]) -> Iterator[Figure]:
    """All of it, as it stands."""
    yield from (_figure("alerts", name, text, {"group": group}, judging) for name, text in _JUDGING.items())
    for rule, tally in judging.rules.items():
        yield from _of_rule({"group": group, "rule": rule}, tally)
    for sink, counts in outlets.items():
        labels = {"group": group, "sink": sink}
        yield from (_figure("alert_sink", name, text, labels, counts) for name, text in _SINK.items())


def _of_rule(labels: Mapping[str, str], tally: Tally) -> Iterator[Figure]:
    yield from (_figure("alert_rule", name, text, labels, tally) for name, text in _RULE.items())
    for reason, count in tally.no_answers.items():
        yield Figure("brokertape_alert_rule_no_answer", _NO_ANSWER, {**labels, "reason": reason}, count)


def _figure(
    part: str, name: str, text: str, labels: Mapping[str, str], counts: JudgingCounts | Tally | OutletCounts
) -> Figure:
    return Figure(f"brokertape_{part}_{name}", text, labels, getattr(counts, name))
