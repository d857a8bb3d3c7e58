"""The rules at work: events in, alerts out. No clock and no I/O: all time is the data's.

    event ─▶ News (broker by broker, with the list before it) ─▶ per rule: view ─▶ condition ─▶ standing ─▶ alert

Per code, events come in order. Codes that are taken together meet in a `Basket`.
"""

from collections.abc import Iterator, Sequence

from brokertape.tape.events import TapeEvent
from brokertape.tape.rows import Row, Side
from brokertape.workers.alerts import wording
from brokertape.workers.alerts.alert import Alert, alert_id
from brokertape.workers.alerts.expression import Expression, NoAnswer
from brokertape.workers.alerts.news import News, Record, unmoved
from brokertape.workers.alerts.rules import About, Rule, RuleSet
from brokertape.workers.alerts.state import Basket, CodeState, Standing
from brokertape.workers.alerts.tally import Tally
from brokertape.workers.alerts.trading_hours import open_ms
from brokertape.workers.alerts.views import BasketView, BrokerView, TogetherView, View
from brokertape.workers.alerts.window import NOTHING, Part, Sums, Window, total

LOOK_EVERY_MS = 1_000  # how often, in the data's time, codes that nobody looks at are looked for


class Engine:
    """Judges every event by every rule. `tallies` counts what came of it, by the rule's name."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._codes: dict[str, CodeState] = {}
        self._baskets: dict[str, dict[str, Basket]] = {}
        self._freshness = [rule for rule in rules.rules if rule.about is About.FRESHNESS]
        self._ticked_at = 0
        self.tallies = {rule.name: Tally() for rule in rules.rules}

    def take(self, event: TapeEvent, rows: Sequence[Row]) -> list[Alert]:
        """What an event gives rise to; `rows` is the list after it. Per code events come in order, each once."""
        data = event.data
        alerts = list(self._tick(data.observed_at))
        code = self._codes.setdefault(data.code, CodeState())
        news = News.of(event, rows, code.known)
        if not news.is_change:
            self._restate(code, news)
        self._see(code, data.observed_at)
        for rule in self._rules.of_code(news.code):
            alerts += self._judge(rule, code, news)
        code.known.learn(rows, data.trading_date, event.id)
        return alerts

    def see(self, code: str, at: int) -> list[Alert]:
        """The list of `code` was looked at, at `at` (ms since 1970), and was as it was."""
        alerts = list(self._tick(at))
        if code in self._codes:
            self._see(self._codes[code], at)
        return alerts

    def _restate(self, code: CodeState, news: News) -> None:
        is_new_date = news.trading_date != code.known.trading_date
        is_correction = news.kind == "correction"
        code.restate(is_new_date=is_new_date, is_correction=is_correction)
        if is_new_date or is_correction:
            for baskets in self._baskets.values():
                for basket in baskets.values():
                    basket.shares.pop(news.code, None)

    def _judge(self, rule: Rule, code: CodeState, news: News) -> Iterator[Alert]:
        match rule.about:
            case About.BROKER:
                return self._judge_brokers(rule, code, news)
            case About.TOGETHER:
                return self._judge_together(rule, code, news)
            case About.FRESHNESS:
                return iter(())
            case _:
                return self._judge_basket(rule, code, news)

    # --- one broker in one code ---------------------------------------------------------------------------------

    def _judge_brokers(self, rule: Rule, code: CodeState, news: News) -> Iterator[Alert]:
        for record in _records(rule, code, news):
            standing = code.standing(rule.name, record.broker)
            sums = NOTHING
            if rule.over_ms is not None:
                self._rest_before(rule, standing, news, record)
                sums = _sums(standing.window, news, [record], rule.over_ms)
            view = BrokerView(news, record, sums)
            if news.kind in rule.on and self._fires(rule, standing, view, news.at, is_in_scope=_on_side(rule, record)):
                summed = sums if rule.over_ms is not None else None
                message = wording.about_broker(record, news, summed, rule.over_ms)
                yield self._alert(rule, news, record.broker, message, view)

    def _rest_before(self, rule: Rule, standing: Standing, news: News, record: Record) -> None:
        """Between two events time goes by: what held may have ended before this one, when sums had run out."""
        if not standing.is_on or news.since is None or rule.over_ms is None:
            return
        then = unmoved(record.before) if record.before else Record(record.broker, (), None, None, None)
        view = BrokerView(news, then, standing.window.sums(news.since, rule.over_ms))
        standing.is_on = not self._has_ended(rule, view, is_held=self._asks(rule, rule.when, view))

    # --- several brokers in one code ----------------------------------------------------------------------------

    def _judge_together(self, rule: Rule, code: CodeState, news: News) -> Iterator[Alert]:
        standing = code.standing(rule.name, "")
        view = self._together(rule, code, news, standing)
        if news.kind in rule.on and self._fires(rule, standing, view, news.at):
            yield self._alert(rule, news, "", wording.about_together(view, news, rule.over_ms), view)

    def _together(self, rule: Rule, code: CodeState, news: News, standing: Standing) -> TogetherView:
        records = [record for record in news.everybody() if record.broker in rule.brokers]
        met = code.members.setdefault(rule.name, set())
        met |= {record.broker for record in records if record.after is not None}
        moved = [record for record in records if record.kinds]
        sums = NOTHING if rule.over_ms is None else _sums(standing.window, news, moved, rule.over_ms)
        view = TogetherView(news, records, rule.brokers.plain | met, sums, is_certain=not rule.brokers.has_patterns)
        if view.side is not None:
            view.has_turned = standing.last_side not in (None, view.side)
            standing.last_side = view.side
        return view

    # --- across codes -------------------------------------------------------------------------------------------

    def _judge_basket(self, rule: Rule, code: CodeState, news: News) -> Iterator[Alert]:
        baskets = self._baskets.setdefault(rule.name, {})
        for broker, side, moved in self._shares(rule, code, news):
            basket = baskets.setdefault(broker, Basket())
            share = basket.share(news.code, news.trading_date)
            share.side = side
            if news.is_change and rule.over_ms is not None:
                _sums(share.window, news, moved, rule.over_ms)
            if not moved or news.kind not in rule.on:
                continue
            view = BasketView(news, broker, basket.sides(news.trading_date), _basket_sums(basket, rule, news.at))
            if self._fires(rule, basket.standing, view, news.at):
                yield self._alert(rule, news, broker, wording.about_basket(view, news, rule.over_ms), view)

    def _shares(self, rule: Rule, code: CodeState, news: News) -> Iterator[tuple[str, Side | None, list[Record]]]:
        """Who the rule takes across codes: name, side in this code, and what moved."""
        if rule.about.is_together:
            view = self._together(rule, code, news, code.standing(rule.name, ""))
            yield "", view.side, [record for record in view.records if record.kinds]
            return
        for record in news.everybody():
            if record.broker in rule.brokers:
                side = None if record.after is None else record.after.side
                yield record.broker, side, [record] if record.kinds else []

    # --- codes that nobody looks at -----------------------------------------------------------------------------

    def _see(self, code: CodeState, at: int) -> None:
        code.known.looked_at = max(code.known.looked_at, at)
        for rule in self._freshness:
            if rule.name in code.standings:
                code.standing(rule.name, "").is_on = False

    def _tick(self, now: int) -> Iterator[Alert]:
        """Time has come to `now`: somebody looked at some code."""
        if not self._freshness or now < self._ticked_at + LOOK_EVERY_MS:
            return
        self._ticked_at = now
        for name, code in self._codes.items():
            for rule in self._freshness:
                if name in rule.codes and code.known.event_id:
                    yield from self._judge_freshness(rule, name, code, now)

    def _judge_freshness(self, rule: Rule, name: str, code: CodeState, now: int) -> Iterator[Alert]:
        limit_ms, known = rule.stale_after_ms or 0, code.known
        tally = self.tallies[rule.name]
        tally.judged += 1
        if open_ms(known.looked_at, now) <= limit_ms:
            return
        tally.held += 1
        standing = code.standing(rule.name, "")
        if standing.is_on:
            return
        standing.is_on = True
        if standing.is_cooling(now, rule.cooldown_ms):
            tally.cooling += 1
            return
        standing.fired_at = now
        tally.fired += 1
        message = wording.about_freshness(known.looked_at, limit_ms)
        yield Alert(
            id=f"{alert_id(rule.name, '', known.event_id)}/{known.looked_at}",
            rule=rule.name,
            code=name,
            broker="",
            event_id=known.event_id,
            trading_date=known.trading_date,
            since=known.looked_at,
            at=now,
            message=wording.headline(name, self._rules.code_names.get(name), rule.name, message),
            values={},
        )

    # --- whether it fires ---------------------------------------------------------------------------------------

    def _fires(self, rule: Rule, standing: Standing, view: View, now: int, *, is_in_scope: bool = True) -> bool:
        """Whether the rule fires now; changes how it stands."""
        is_held = self._holds(rule, standing, view, is_in_scope)
        if rule.is_edge:
            if standing.is_on:
                standing.is_on = not self._has_ended(rule, view, is_held)
                return False
            standing.is_on = is_held
        if not is_held:
            return False
        tally = self.tallies[rule.name]
        if standing.is_cooling(now, rule.cooldown_ms):
            tally.cooling += 1
            return False
        standing.fired_at = now
        tally.fired += 1
        return True

    def _holds(self, rule: Rule, standing: Standing, view: View, is_in_scope: bool) -> bool:
        is_held = is_in_scope and self._asks(rule, rule.when, view)
        standing.held = standing.held + 1 if is_held else 0
        return standing.held >= rule.polls

    def _has_ended(self, rule: Rule, view: View, is_held: bool) -> bool:
        return not is_held if rule.until is None else self._asks(rule, rule.until, view)

    def _asks(self, rule: Rule, condition: Expression | None, view: View) -> bool:
        """Whether a condition holds. One without an answer does not; it is counted."""
        if condition is None:
            return False
        tally = self.tallies[rule.name]
        tally.judged += 1
        answer = condition.evaluate(rule.vocabulary.values(view, condition.names))
        if isinstance(answer, NoAnswer):
            tally.add_no_answer(answer.reason)
            return False
        tally.held += answer
        return answer

    def _alert(self, rule: Rule, news: News, broker: str, message: str, view: View) -> Alert:
        names = frozenset().union(*(one.names for one in (rule.when, rule.until) if one is not None))
        return Alert(
            id=alert_id(rule.name, broker, news.event_id),
            rule=rule.name,
            code=news.code,
            broker=broker,
            event_id=news.event_id,
            trading_date=news.trading_date,
            since=news.since,
            at=news.at,
            message=wording.headline(news.code, self._rules.code_names.get(news.code), rule.name, message),
            values=dict(sorted(rule.vocabulary.values(view, names).items())),
        )


def _records(rule: Rule, code: CodeState, news: News) -> list[Record]:
    """Whom a rule about single brokers judges by this event."""
    if not rule.looks_at_everybody:
        return [record for record in news.records if record.broker in rule.brokers]
    found = [record for record in news.everybody() if record.broker in rule.brokers]
    seen = {record.broker for record in found}
    held = code.standings.get(rule.name, {})
    # Who has been off the list for several events is in none of them.
    return found + [Record(name, (), None, None, None) for name, one in held.items() if one.held and name not in seen]


def _on_side(rule: Rule, record: Record) -> bool:
    return record.side is None or record.side in rule.sides


def _sums(window: Window, news: News, records: Sequence[Record], over_ms: int) -> Sums:
    """What was traded in the window, with what `records` add to it."""
    if news.is_change and news.since is not None:
        sums = total(Sums.of(record.flow) for record in records if record.kinds)
        if sums != NOTHING:
            window.add(Part(news.since, news.at, sums))
    return window.sums(news.at, over_ms)


def _basket_sums(basket: Basket, rule: Rule, now: int) -> Sums:
    if rule.over_ms is None:
        return NOTHING
    return total(share.window.sums(now, rule.over_ms) for share in basket.shares.values())
