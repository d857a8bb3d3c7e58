"""What answers of a gateway tell about questions its documents leave open, and what to set. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from brokertape.gateway.errors import GatewayError, OverBudget, Refused
from brokertape.gateway.values import MarketState, TopTenBrokers

NOT_ALONE = "stop the publishers of this account first: it takes the whole window, and passing the limit"


@dataclass(frozen=True, slots=True)
class Answer:
    """One request, the `number`-th sent, and what came of it. Times in s since 1970."""

    number: int
    code: str
    sent_s: float
    got_s: float
    outcome: TopTenBrokers | GatewayError

    @property
    def table(self) -> TopTenBrokers | None:
        """The table, if one came."""
        return self.outcome if isinstance(self.outcome, TopTenBrokers) else None


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question: what was found, and what to set or do because of it."""

    letter: str
    question: str
    found: str
    advice: str = ""

    def lines(self) -> str:
        """The finding as it is printed."""
        advice = f"\n    → {self.advice}" if self.advice else ""
        return f"({self.letter}) {self.question}\n    {self.found}{advice}"


def cadence(answers: Sequence[Answer]) -> Finding:
    """(a) from one code asked again and again."""
    question = "How often does a table move, and does dataTime move with it?"
    tables = [(answer.got_s, answer.table) for answer in answers if answer.table is not None]
    if len(tables) < 2:
        return Finding("a", question, f"{len(tables)} answers are too few to tell", "measure longer: --seconds")
    rows_moved = [then for (_, one), (then, two) in pairwise(tables) if one.brokers != two.brokers]
    stamps = [(one.data_time, two.data_time, one.brokers == two.brokers) for (_, one), (_, two) in pairwise(tables)]
    stamp_alone = sum(before != after and is_same for before, after, is_same in stamps)
    rows_alone = sum(before == after and not is_same for before, after, is_same in stamps)
    found = (
        f"{len(tables)} answers in {tables[-1][0] - tables[0][0]:.0f} s: rows moved {len(rows_moved)} times"
        f"{_typical_gap(rows_moved)}; dataTime moved alone {stamp_alone} times, rows alone {rows_alone} times"
        f"{_lag(tables)}"
    )
    return Finding("a", question, found, _cadence_advice(len(rows_moved), stamp_alone, rows_alone))


def _typical_gap(moments: Sequence[float]) -> str:
    gaps = [after - before for before, after in pairwise(moments)]
    return f", typically every {median(gaps):.1f} s, at least {min(gaps):.1f} s apart" if gaps else ""


def _lag(tables: Sequence[tuple[float, TopTenBrokers]]) -> str:
    lags = [got_s - table.data_time for got_s, table in tables if table.data_time is not None]
    return f"; dataTime lay {median(lags):.0f} s before the answer" if lags else "; there is no dataTime"


def _cadence_advice(moved: int, stamp_alone: int, rows_alone: int) -> str:
    if not moved:
        return "measure a busier code while the market trades: --code"
    if rows_alone:
        return "dataTime does not tell a change: nothing to set, rows are compared in any case"
    if stamp_alone:
        return "dataTime is more than the time of the last change: nothing to set"
    return "dataTime is the time of the last change: nothing to set"


def calls_that_count(refused_later: int | None, failed_then: bool | None) -> Finding:
    """(b) from two windows: whether requests were refused for refused ones, and for failed ones, before them."""
    question = "Does a refused or a failed request count?"
    if refused_later is None or failed_then is None:
        return Finding("b", question, "not asked", NOT_ALONE)
    found = (
        f"refused requests {'count' if refused_later else 'do not count'}, "
        f"failed ones {'count' if failed_then else 'do not count'}"
    )
    advice = "nothing to set: failed requests are counted and refusals are backed off from in any case"
    return Finding("b", question, found, advice)


def shared_budget(second: str | None, outcome: TopTenBrokers | GatewayError | None) -> Finding:
    """(c) from a second gateway of the account, asked while the first refuses."""
    question = "Is the budget one per gateway, or one per account?"
    if outcome is None:
        why = NOT_ALONE if second else "give --second-gateway HOST:PORT, an OpenD of the same account"
        return Finding("c", question, "not asked", why)
    if isinstance(outcome, OverBudget):
        advice = "give all gateways of this account the same name: publish.account"
        return Finding("c", question, f"{second} refuses too: per account", advice)
    if isinstance(outcome, GatewayError):
        return Finding("c", question, f"{second}: {outcome}", "make it answer, then measure again")
    return Finding(
        "c", question, f"{second} still answers: per gateway", "nothing to set: publish.account is per gateway"
    )


def refusal_texts(answers: Sequence[Answer]) -> Finding:
    """(d) from whatever was refused."""
    question = "How do refusals read?"
    texts = {str(answer.outcome): type(answer.outcome) for answer in answers if isinstance(answer.outcome, Refused)}
    if not texts:
        return Finding("d", question, "nothing was refused", NOT_ALONE)
    found = "; ".join(f"{text} is read as {kind.__name__}" for text, kind in texts.items())
    unread = [text for text, kind in texts.items() if kind is Refused]
    return Finding(
        "d", question, found, f"report these, they are not understood: {'; '.join(unread)}" if unread else ""
    )


def names(answers: Sequence[Answer]) -> Finding:
    """(e) from every table seen."""
    question = "Do names repeat within a table, or lack?"
    tables = [answer.table for answer in answers if answer.table is not None]
    repeated = {
        (table.code, name)
        for table in tables
        for name, count in Counter(item.broker_name for item in table.brokers).items()
        if name and count > 1
    }
    empty = {table.code for table in tables if any(not item.broker_name for item in table.brokers)}
    found = f"in {len(tables)} tables: {len(repeated)} names stand twice, {len(empty)} codes have one without a name"
    examples = [f"{code} {name}" for code, name in sorted(repeated)[:3]] + sorted(empty)[:3]
    return Finding("e", question, found + (f" ({', '.join(examples)})" if examples else ""))


def in_state(answers: Sequence[Answer], state: MarketState) -> Finding:
    """(f) for the state the market is in now."""
    tables = [answer.table for answer in answers if answer.table is not None]
    moved = sum(one.brokers != two.brokers for one, two in pairwise(tables) if one.code == two.code)
    rows = len(tables[-1].brokers) if tables else 0
    found = f"in {state.name}: {rows} rows, moved {moved} times in {len(tables)} answers"
    advice = "measure again in AUCTION, REST, HK_CAS and CLOSED"
    if moved and not state.is_trading:
        advice += "; it moves while the market rests: lower publish.heartbeat_s"
    return Finding("f", "What does the table do in this state of the market?", found, advice)


def reply_order(order: Sequence[int]) -> Finding:
    """(g) from requests in flight together: their numbers, counted as sent, in the order of the answers."""
    question = "In which order are requests answered that are in flight together?"
    if not order:
        return Finding("g", question, "not asked", NOT_ALONE)
    overtaken = sum(after < before for before, after in pairwise(order))
    found = f"{len(order)} together: " + (f"{overtaken} overtook another" if overtaken else "in the order sent")
    return Finding("g", question, found, "nothing to set: replies are told apart by their number")
