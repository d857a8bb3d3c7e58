"""A hundred rules over a busy morning, beside the bare CEL programs on the very values that they were asked about.

Shows nothing of delivery. The bare programs are given their values ready made; ours are made from the events.
"""

import time
import tracemalloc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from brokertape.tape.events import TapeEvent
from brokertape.tape.rows import Row
from brokertape.workers.alerts.cel import Cel, CelExpression, CelScope
from brokertape.workers.alerts.engine import Engine
from brokertape.workers.alerts.expression import Facts, FieldType, NoAnswer, Values
from brokertape.workers.alerts.rule_file import parse_rules
from brokertape.workers.alerts.samples import sample_text
from brokertape.workers.alerts.state import Standing
from brokertape.workers.alerts.window import Part, Sums
from brokertape.workers.process import settle_memory
from subscriber import CODES, morning

RULES = 100
WINDOW_MS, WINDOW_PARTS = 300_000, 15  # five minutes, of a code that changes every 20 s


@dataclass(frozen=True)
class Recorded:
    """A condition that remembers what it was asked."""

    expression: CelExpression
    asked: list[tuple[CelExpression, Values]]

    @property
    def text(self) -> str:
        """As it was written."""
        return self.expression.text

    @property
    def names(self) -> frozenset[str]:
        """What it reads."""
        return self.expression.names

    def evaluate(self, facts: Facts) -> bool | NoAnswer:
        """Remember, and answer."""
        values, bound = (facts, facts) if isinstance(facts, dict) else facts
        self.asked.append((self.expression, {name: values[name] for name in self.names if name in values}))
        return self.expression.evaluate(bound)


@dataclass(frozen=True)
class RecordingScope:
    """Variables, and what is asked about them."""

    scope: CelScope
    asked: list[tuple[CelExpression, Values]]

    def compile(self, text: str) -> Recorded:
        """The condition."""
        return Recorded(self.scope.compile(text), self.asked)

    def bind(self, values: Values) -> tuple[Values, Facts]:
        """The values beside what they are bound to."""
        return values, self.scope.bind(values)


@dataclass(frozen=True)
class Recording:
    """A language whose conditions remember."""

    language: Cel = field(default_factory=Cel)
    asked: list[tuple[CelExpression, Values]] = field(default_factory=list)

    def scope(self, types: Mapping[str, FieldType]) -> RecordingScope:
        """Variables of these types."""
        return RecordingScope(self.language.scope(types), self.asked)


def hundred_rules() -> str:
    """The sample rules again and again, under other names, up to so many."""
    head, *rules = sample_text().split("[[rule]]")
    again = (rule.replace('name = "', f'name = "r{number}-', 1) for number in range(RULES) for rule in rules)
    return "[[rule]]".join([head, *islice(again, RULES)])


def looks(events: int) -> list[tuple[TapeEvent, tuple[Row, ...]]]:
    """Events of a busy morning, each with the list after it."""
    return [(step.event, step.book.rows) for step in islice(morning(CODES), events)]


def timed(engine: Engine, found: list[tuple[TapeEvent, tuple[Row, ...]]]) -> tuple[float, int]:
    """Seconds that judging took, and alerts."""
    began_s = time.perf_counter()
    alerts = sum(len(engine.take(event, rows)) for event, rows in found)
    return time.perf_counter() - began_s, alerts


def bare(asked: list[tuple[CelExpression, Values]]) -> float:
    """Seconds that the programs alone take."""
    programs = [(expression._program, values) for expression, values in asked]
    began_s = time.perf_counter()
    for program, values in programs:
        program.eval(data=values).value()
    return time.perf_counter() - began_s


def windows(count: int) -> Iterator[Standing]:
    """So many open windows."""
    for number in range(count):
        standing = Standing()
        for part in range(WINDOW_PARTS):
            since = 20_000 * part + number
            standing.window.add(Part(since, since + 20_000, Sums(100, 50, 50, 7e4, 3e4, 0)), WINDOW_MS)
        yield standing


def run(events: int, passes: int, open_windows: int) -> None:
    """Print both rates and their ratio, and what open windows weigh."""
    print(f"\nalerts: {RULES} rules on {events} events of {len(CODES)} codes, best of {passes}")
    recording = Recording()
    found = looks(events)
    timed(Engine(parse_rules(hundred_rules(), language=recording)), found)
    settle_memory()  # as a worker does; and what was recorded is nothing that an engine has to look through
    ours_s, bare_s, alerts = float("inf"), float("inf"), 0
    for _ in range(passes):
        took_s, alerts = timed(Engine(parse_rules(hundred_rules())), found)
        ours_s, bare_s = min(ours_s, took_s), min(bare_s, bare(recording.asked))
    asked = len(recording.asked)
    print(f"  conditions asked           {asked:>10,}   {asked / events:.0f} an event; {alerts:,} alerts")
    print(f"  the engine                 {events / ours_s:>10,.0f} events/s, {ours_s / asked * 1e6:.1f} µs a condition")
    print(f"  bare CEL on the same values{events / bare_s:>10,.0f} events/s, {bare_s / asked * 1e6:.1f} µs a condition")
    print(f"  ratio                      {bare_s / ours_s:>10.2f} (target 0.5)")
    tracemalloc.start()
    kept = list(windows(open_windows))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"  {len(kept):,} open windows of {WINDOW_PARTS} intervals: {size / 1e6:.1f} MB")
