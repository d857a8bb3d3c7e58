"""`brokertape alert check` and `samples`: a file of rules, looked through."""

from collections.abc import Iterator
from pathlib import Path

from brokertape.cli.faults import OK
from brokertape.tape.wording import plain
from brokertape.workers.alerts.rule_file import load_rules
from brokertape.workers.alerts.rules import Names, Rule
from brokertape.workers.alerts.samples import sample_text
from brokertape.workers.alerts.sinks.table import MOST_PER_MINUTE
from brokertape.workers.alerts.wording import span

MOST_NAMES = 4  # of a scope, shown


def check(path: Path) -> int:
    """Print what each rule looks for, and where alerts go. Sinks are not opened.

    Raises:
        RuleFileError: It cannot be used: file, line and reason.
    """
    loaded = load_rules(path)
    rules = loaded.rules
    for rule in rules:
        print("\n    ".join(map(plain, _lines(rule))))  # noqa: T201
    for sink in loaded.sinks:
        limit = f", {sink.limit} messages a minute at the most" if sink.limit < MOST_PER_MINUTE else ""
        print(plain(f"sink {sink.name}: {sink.kind}{limit}"))  # noqa: T201
    print(f"{plain(str(path))}: {len(rules)} rule{'s' * (len(rules) != 1)}, all of them sound")  # noqa: T201
    return OK


def print_samples() -> int:
    """Print the sample rules."""
    print(sample_text(), end="")  # noqa: T201
    return OK


def _lines(rule: Rule) -> Iterator[str]:
    """What a rule looks for, in short lines; the names in them come from the file."""
    yield f"{rule.name}: {rule.about.value}"
    if rule.text:
        yield rule.text
    scopes = (("codes", rule.codes), ("brokers", rule.brokers))
    yield from (f"of {what} {_scope(names)}" for what, names in scopes if names.patterns)
    yield _condition(rule)
    yield _consequence(rule)


def _scope(names: Names) -> str:
    shown = ", ".join(names.patterns[:MOST_NAMES])
    return f"{shown} and {len(names.patterns) - MOST_NAMES} more" if len(names.patterns) > MOST_NAMES else shown


def _condition(rule: Rule) -> str:
    if rule.stale_after_ms is not None:
        return f"when it is not looked at for {span(rule.stale_after_ms)}"
    over = f" over {span(rule.over_ms)}" if rule.over_ms is not None else ""
    polls = f" in {rule.polls} events in a row" if rule.polls > 1 else ""
    condition = " ".join(rule.when.text.split()) if rule.when else ""
    return f"when {condition}{over}{polls}"


def _consequence(rule: Rule) -> str:
    until = f"until {' '.join(rule.until.text.split())}" if rule.until else "until it does not hold"
    fires = f"fires once, {until}" if rule.is_edge else "fires every time"
    return f"{fires}; silent for {span(rule.cooldown_ms)}" if rule.cooldown_ms else fires
