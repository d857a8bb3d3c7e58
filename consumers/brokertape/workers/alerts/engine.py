"""The rules at work: events in, alerts out. No clock and no I/O: all time is the data's.

    event ─▶ News (broker by broker, with the list before it) ─▶ each rule's judge ─▶ view ─▶ condition ─▶ alert

Per code, events come in order.
"""

from collections.abc import Iterable, Iterator, Sequence

from brokertape.tape.events import TapeEvent
from brokertape.tape.rows import Row
from brokertape.workers.alerts import wording
from brokertape.workers.alerts.alert import Alert, alert_id
from brokertape.workers.alerts.freshness import FreshnessJudge
from brokertape.workers.alerts.judges import Finding, Judge, Shared, judge_of
from brokertape.workers.alerts.news import News
from brokertape.workers.alerts.rules import About, RuleSet, vocabulary
from brokertape.workers.alerts.state import CodeState, Memory
from brokertape.workers.alerts.tally import Tally

LOOK_EVERY_MS = 1_000  # how often, in the data's time, codes that nobody looks at are looked for


class Engine:
    """Judges every event by every rule.

    Args:
        rules: The rules.
        memory: What is remembered of the tape so far; it is carried on in place.
    """

    def __init__(self, rules: RuleSet, memory: Memory | None = None) -> None:
        self._rules = rules
        self.memory = memory or Memory()
        self._judges = {
            rule.name: judge_of(rule, self.memory) for rule in rules.rules if rule.about is not About.FRESHNESS
        }
        self._freshness = [FreshnessJudge(rule) for rule in rules.rules if rule.about is About.FRESHNESS]
        shared = vocabulary(About.BROKER, has_window=False)
        self._shared_scope = rules.language.scope(shared.types)
        self._read_shared = shared.reader(_names_shared(self._judges.values()))

    @property
    def tallies(self) -> dict[str, Tally]:
        """What came of every rule so far, by its name, in the order of the file."""
        found = {name: judge.tally for name, judge in self._judges.items()}
        found |= {judge.rule.name: judge.tally for judge in self._freshness}
        return {rule.name: found[rule.name] for rule in self._rules.rules}

    def count_anew(self) -> None:
        """Begin the tallies again; what is remembered of the tape stays."""
        for judge in self._judges.values():
            judge.tally = Tally()
        for freshness in self._freshness:
            freshness.tally = Tally()

    def take(self, event: TapeEvent, rows: Sequence[Row]) -> list[Alert]:
        """What an event gives rise to; `rows` is the list after it. Per code events come in order, each once."""
        data = event.data
        code = self.memory.codes.setdefault(data.code, CodeState())
        alerts = self._look(data.code, data.observed_at)
        code.known.meet(rows, data.trading_date)
        news = News.of(event, rows, code.known)
        if not news.is_change:
            self._restate(code, news)
        alerts += self._judge(code, news)
        code.known.learn(rows, data.trading_date, event.id, (data.epoch, data.seq))
        return alerts

    def see(self, code: str, at: int) -> list[Alert]:
        """The list of `code` was looked at, at `at` (ms since 1970), and was as it was; nothing if that is known."""
        state = self.memory.codes.get(code)
        return [] if state is None or at <= state.known.looked_at else self._look(code, at)

    def forget(self, code: str) -> None:
        """Events of a code were missed: what was gathered of it beyond the code itself may not be so any more."""
        for judge in self._judges.values():
            judge.forget(code)

    def _judge(self, code: CodeState, news: News) -> Iterator[Alert]:
        shared = Shared(news, self._shared_scope, self._read_shared)
        for rule in self._rules.of_code(news.code):
            if rule.name in self._judges:
                for finding in self._judges[rule.name].judge(code, news, shared):
                    yield self._alert(rule.name, news, finding)

    def _restate(self, code: CodeState, news: News) -> None:
        is_new_date = news.trading_date != code.known.trading_date
        is_correction = news.kind == "correction"
        code.restate(news.at, is_new_date=is_new_date, is_correction=is_correction)
        if is_new_date or is_correction:
            for judge in self._judges.values():
                judge.forget(news.code)

    def _look(self, name: str, at: int) -> list[Alert]:
        """Somebody looked at a code: it is fresh, and those that nobody looks at are told."""
        attention, known = self.memory.attention, self.memory.codes[name].known
        attention.look(at)
        known.looked_at, known.attended_ms = max(known.looked_at, at), attention.attended_ms
        for judge in self._freshness:
            judge.seen(self.memory.codes[name])
        if not self._freshness or at < attention.ticked_at + LOOK_EVERY_MS:
            return []
        attention.ticked_at = at
        return list(self._stale_codes())

    def _stale_codes(self) -> Iterator[Alert]:
        for name, code in self.memory.codes.items():
            for judge in self._freshness:
                # One of which nothing is known was never seen, and so cannot have grown old.
                is_known = code.known.version is not None
                if is_known and name in judge.rule.codes and judge.is_stale(code, self.memory.attention):
                    yield self._stale(judge, name, code)

    def _alert(self, rule: str, news: News, finding: Finding) -> Alert:
        return Alert(
            id=alert_id(rule, news.event_id, finding.key),
            rule=rule,
            code=news.code,
            broker=finding.key[0],
            event_id=news.event_id,
            trading_date=news.trading_date,
            since=news.since,
            at=news.at,
            message=self._headline(news.code, rule, finding.message),
            values=finding.values,
        )

    def _stale(self, judge: FreshnessJudge, name: str, code: CodeState) -> Alert:
        rule, known = judge.rule.name, code.known
        return Alert(
            id=f"{alert_id(rule, known.event_id)}/{known.looked_at}",
            rule=rule,
            code=name,
            broker="",
            event_id=known.event_id,
            trading_date=known.trading_date,
            since=known.looked_at,
            at=self.memory.attention.now or known.looked_at,
            message=self._headline(name, rule, wording.about_freshness(known.looked_at, judge.stale_after_ms)),
            values={},
        )

    def _headline(self, code: str, rule: str, message: str) -> str:
        return wording.headline(code, self._rules.code_names.get(code), rule, message)


def _names_shared(judges: Iterable[Judge]) -> frozenset[str]:
    """What the conditions of rules about single brokers read, but for those with sums of their own."""
    rules = [judge.rule for judge in judges if judge.rule.about is About.BROKER and judge.rule.over_ms is None]
    return frozenset().union(*(condition.names for rule in rules for condition in rule.conditions))
