"""One judge a rule: what the rule makes of an event. No I/O; all time is the data's."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from brokertape.tape.rows import Side
from brokertape.workers.alerts import wording
from brokertape.workers.alerts.expression import Expression, Facts, NoAnswer, Scope, Value, Values
from brokertape.workers.alerts.news import News, Record, gone
from brokertape.workers.alerts.rules import SIDES, About, Rule
from brokertape.workers.alerts.state import TOGETHER, Basket, Baskets, CodeState, Key, Memory, Standing
from brokertape.workers.alerts.tally import Tally
from brokertape.workers.alerts.views import BasketView, BrokerView, TogetherView, View
from brokertape.workers.alerts.window import NOTHING, Part, Sums, Window, total


class Finding(NamedTuple):
    """That a rule fires: on whom, in words, and what its conditions saw."""

    key: Key
    message: str
    values: dict[str, Value]


class Shared:
    """Of one event: what conditions without sums see of each broker, bound once for all rules."""

    def __init__(self, news: News, scope: Scope, read: Callable[[View], Values]) -> None:
        self._news = news
        self._scope = scope
        self._read = read
        self._facts: dict[Record, Facts] = {}

    def facts(self, record: Record) -> Facts:
        """What they see of a broker."""
        found = self._facts.get(record)
        if found is None:
            view = BrokerView(self._news, record, NOTHING)
            found = self._facts[record] = self._scope.bind(self._read(view))
        return found


class Judge(ABC):
    """Judges by one rule, and counts what came of it."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.tally = Tally()
        self._read = rule.vocabulary.reader(frozenset().union(*(condition.names for condition in rule.conditions)))

    @abstractmethod
    def judge(self, code: CodeState, news: News, shared: Shared) -> Iterator[Finding]:
        """What the rule finds in an event of `code`."""

    def forget(self, code: str) -> None:  # noqa: B027 - most keep nothing of their own
        """What was gathered of a code over events does not count any more."""

    def _asks(self, condition: Expression | None, facts: Facts) -> bool:
        """Whether a condition holds. One without an answer does not; it is counted."""
        if condition is None:
            return False
        tally = self.tally
        tally.judged += 1
        answer = condition.evaluate(facts)
        if answer is True:
            tally.held += 1
            return True
        if isinstance(answer, NoAnswer):
            tally.add_no_answer(answer.reason)
        return False

    def _fires(self, standing: Standing, facts: Facts, now: int, *, is_in_scope: bool = True) -> bool:
        """Whether the rule fires now; changes how it stands."""
        is_held = is_in_scope and self._asks(self.rule.when, facts)
        standing.held = standing.held + 1 if is_held else 0
        is_held = standing.held >= self.rule.polls
        if standing.is_on:
            standing.is_on = not self._has_ended(facts, is_held)
            return False
        return is_held and self._may_fire(standing, now)

    def _has_ended(self, facts: Facts, is_held: bool) -> bool:
        return not is_held if self.rule.until is None else self._asks(self.rule.until, facts)

    def _may_fire(self, standing: Standing, now: int) -> bool:
        """Unless it is silent. A state that begins in a cooldown is told after it, if it still holds."""
        if now < standing.silent_until:
            self.tally.cooling += 1
            return False
        standing.is_on, standing.silent_until = self.rule.is_edge, now + self.rule.cooldown_ms
        self.tally.fired += 1
        return True

    def _rest(self, standing: Standing, view: View) -> None:
        """Between two events time goes by: what is on may have ended before this one, when sums had run out."""
        facts = self._read(view)
        is_held = self.rule.until is None and self._asks(self.rule.when, facts)
        standing.is_on = not self._has_ended(facts, is_held)

    def _finding(self, key: Key, message: str, view: View) -> Finding:
        return Finding(key, message, self._read(view))


class PlainJudge(Judge):
    """Of single brokers, event by event: nothing is remembered but a cooldown."""

    def judge(self, code: CodeState, news: News, shared: Shared) -> Iterator[Finding]:
        """Everybody who moved and is in the scope."""
        rule = self.rule
        if news.kind not in rule.on:
            return
        is_any_side = len(rule.sides) == len(SIDES)
        for record in rule.brokers.of(news.records):
            if not (is_any_side or record.side in rule.sides):
                continue
            is_held = self._asks(rule.when, shared.facts(record))
            if is_held and self._may_fire(code.standing(rule.name, record.key), news.at):
                view = BrokerView(news, record, NOTHING)
                yield self._finding(record.key, wording.about_broker(view, None), view)


class BrokerJudge(Judge):
    """Of single brokers, over several events: sums, persistence, states that begin and end."""

    def judge(self, code: CodeState, news: News, shared: Shared) -> Iterator[Finding]:
        """Everybody who moved; where it counts events in a row, everybody."""
        standings = code.standings.setdefault(self.rule.name, {})
        over_ms, is_on = self.rule.over_ms, news.kind in self.rule.on
        for record in self._records(standings, news):
            standing = standings.get(record.key)
            if standing is None:
                standing = standings[record.key] = Standing()
            sums = NOTHING if over_ms is None else self._sums(standing, record, code, news, over_ms)
            if not is_on:
                continue
            facts = shared.facts(record) if over_ms is None else self._read(BrokerView(news, record, sums))
            is_in_scope = record.side is None or record.side in self.rule.sides
            if self._fires(standing, facts, news.at, is_in_scope=is_in_scope):
                view = BrokerView(news, record, sums)
                yield self._finding(record.key, wording.about_broker(view, over_ms), view)

    def _records(self, standings: dict[Key, Standing], news: News) -> Sequence[Record]:
        if self.rule.polls == 1:
            return self.rule.brokers.of(news.records)
        found = self.rule.brokers.of(news.everybody)
        seen = {record.key for record in found}
        # Who has been off the list for several events is in none of them.
        return [*found, *(gone(key) for key, one in standings.items() if one.held and key not in seen)]

    def _sums(self, standing: Standing, record: Record, code: CodeState, news: News, over_ms: int) -> Sums:
        if standing.is_on and (then := news.before(code.known)) is not None:
            was = next((one for one in then.everybody if one.key == record.key), gone(record.key))
            self._rest(standing, BrokerView(then, was, standing.window.sums(then.at, over_ms)))
        return summed(standing.window, news, [record], over_ms)


class TogetherJudge(Judge):
    """Of several brokers in one code."""

    def judge(self, code: CodeState, news: News, shared: Shared) -> Iterator[Finding]:
        """All of them as one, by every event."""
        standing, over_ms = code.standing(self.rule.name), self.rule.over_ms
        view = together(self.rule, code, news)
        if over_ms is not None:
            if standing.is_on and (then := news.before(code.known)) is not None:
                was = together(self.rule, code, then)
                was.sums = standing.window.sums(then.at, over_ms)
                self._rest(standing, was)
            view.sums = summed(standing.window, news, view.moved(), over_ms)
        if view.side is not None:
            view.has_turned = standing.last_side not in (None, view.side)
            standing.last_side = view.side
        if news.kind in self.rule.on and self._fires(standing, self._read(view), news.at):
            yield self._finding(TOGETHER, wording.about_together(view, over_ms), view)


@dataclass(frozen=True, slots=True)
class _Share:
    """Whom a rule takes across codes, as one of them shows it."""

    key: Key
    side: Side | None
    moved: Sequence[Record]


class BasketJudge(Judge):
    """Of a broker, or several, across codes, which may come in any order between each other."""

    def __init__(self, rule: Rule, baskets: Baskets) -> None:
        super().__init__(rule)
        self._baskets = baskets

    def forget(self, code: str) -> None:
        """The code's share of every basket."""
        self._baskets.forget(code)

    def judge(self, code: CodeState, news: News, shared: Shared) -> Iterator[Finding]:
        """Whoever moved, with all its codes."""
        if news.trading_date > self._baskets.trading_date:
            self._baskets.begin_day(news.trading_date, news.at)
        for one in self._shares(code, news):
            basket = self._baskets.of(one.key)
            self._rest_before(basket, one, news)
            share = basket.share(news.code, news.trading_date)
            share.side = one.side
            if self.rule.over_ms is not None:
                summed(share.window, news, one.moved, self.rule.over_ms)
            if one.moved and news.kind in self.rule.on:
                view = self._view(basket, one, news, news.at)
                if self._fires(basket.standing, self._read(view), news.at):
                    yield self._finding(one.key, wording.about_basket(view, self.rule.over_ms), view)

    def _rest_before(self, basket: Basket, one: _Share, news: News) -> None:
        if basket.standing.is_on and one.moved and self.rule.over_ms is not None and news.since is not None:
            self._rest(basket.standing, self._view(basket, one, news, news.since))

    def _view(self, basket: Basket, one: _Share, news: News, at: int) -> BasketView:
        over_ms = self.rule.over_ms
        shares = basket.shares.values()
        sums = NOTHING if over_ms is None else total([share.window.sums(at, over_ms) for share in shares])
        return BasketView(news, one.key[0], basket.sides, sums)

    def _shares(self, code: CodeState, news: News) -> Iterator[_Share]:
        if self.rule.about.is_together:
            view = together(self.rule, code, news)
            yield _Share(TOGETHER, view.side, view.moved())
            return
        for record in self.rule.brokers.of(news.everybody):
            side = None if record.after is None else record.after.side
            yield _Share(record.key, side, [record] if record.kinds else [])


def judge_of(rule: Rule, memory: Memory) -> Judge:
    """The judge of a rule about trading. What it remembers beyond single codes is in `memory`."""
    if rule.about.is_basket:
        return BasketJudge(rule, memory.baskets.setdefault(rule.name, Baskets()))
    if rule.about is About.TOGETHER:
        return TogetherJudge(rule)
    is_plain = not rule.is_edge and rule.over_ms is None and rule.polls == 1
    return (PlainJudge if is_plain else BrokerJudge)(rule)


def together(rule: Rule, code: CodeState, news: News) -> TogetherView:
    """The rule's brokers as one, without their sums."""
    records = rule.brokers.of(news.everybody)
    met = code.members.setdefault(rule.name, set())
    met |= {record.broker for record in records if record.after is not None}
    members = rule.brokers.plain | met
    is_certain = not rule.brokers.has_patterns and not members & news.repeated
    return TogetherView(news, records, members, NOTHING, is_certain=is_certain)


def summed(window: Window, news: News, records: Sequence[Record], over_ms: int) -> Sums:
    """What was traded in the window, with what `records` add to it."""
    parts = [record.part for record in records if record.part is not None]
    if len(parts) == 1:
        window.add(parts[0], over_ms)
    elif parts:
        window.add(Part(parts[0].since, news.at, total([part.sums for part in parts])), over_ms)
    return window.sums(news.at, over_ms)
