"""docs/queries.md: every query as it stands there, on both databases, against the events themselves."""

import ast
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import cache
from itertools import groupby
from typing import Any

import pytest
from sqlalchemy import text

from brokertape.tape.changes import Change
from brokertape.tape.events import ChangeEvent, CorrectionEvent, RolloverEvent, TapeEvent
from brokertape.workers.storage import HistoryStorage, Storage, open_database, open_readonly
from support.simulated_week import CODES, simulated_week
from support.source_tree import PROJECT
from support.storages import deliveries

PAGE = (PROJECT / "docs" / "queries.md").read_text()
LOST = {100, 101, 102, 400, 700}  # of the week's events, so that there are gaps to be found

Answer = Iterable[tuple[Any, ...]]
ANSWERS: list[Callable[..., Answer]] = []


@cache
def stored() -> list[TapeEvent]:
    """What is in the database. Not made when this file is imported, which every process of a run does."""
    return [event for number, event in enumerate(simulated_week().events) if number not in LOST]


def queries() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every SQL block of the page, with the parameters in the lines before it."""
    for before, sql in re.findall(r"(.*?)^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        [line] = re.findall(r"^Parameters: (.*)$", before, re.MULTILINE) or [""]
        yield sql, {name: ast.literal_eval(value) for name, value in re.findall(r"`(\w+)` = `([^`]+)`", line)}


def answers(number_of_block: int) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    """What follows works out the answer of a block."""
    assert len(ANSWERS) == number_of_block

    def add(function: Callable[..., Answer]) -> Callable[..., Answer]:
        ANSWERS.append(function)
        return function

    return add


def records(begin: int, end: int) -> Iterator[tuple[TapeEvent, Change]]:
    """Change records of the events observed within."""
    for event in stored():
        if isinstance(event, ChangeEvent) and begin <= event.data.observed_at < end:
            yield from ((event, change) for change in event.data.changes)


def closing_rows(trading_date: str | None = None) -> Iterator[tuple[str, str, Any]]:
    """Code, date and row of every list that a stored rollover closed."""
    for event in stored():
        if isinstance(event, RolloverEvent) and trading_date in (None, event.data.closing.trading_date):
            yield from ((event.data.code, event.data.closing.trading_date, row) for row in event.data.closing.rows)


@answers(0)
def of_one_broker(broker_name: str, begin: int, end: int) -> Answer:
    """1: its flow per code."""
    flows = defaultdict(list)
    for event, change in records(begin, end):
        if change.broker_name == broker_name:
            flows[event.data.code].append(change.flow)
    for code, listed in flows.items():
        known = [flow for flow in listed if flow is not None]
        sums = (sum(one.net_vol for one in known), sum(one.turnover or 0.0 for one in known)) if known else (None, None)
        yield code, *sums, len(listed) - len(known)


@answers(1)
def flips(begin: int, end: int) -> Answer:
    """2: records of a broker on one side before and on the other after."""
    found = Counter(
        (event.data.trading_date, event.data.code)
        for event, change in records(begin, end)
        if change.before and change.after and change.before.side != change.after.side
    )
    return [(*key, count) for key, count in found.items()]


@answers(2)
def accumulated(code: str, first: str, last: str) -> Answer:
    """3: over the lists that we closed."""
    return _accumulated((date, row) for of, date, row in closing_rows() if of == code and first <= date <= last)


@answers(3)
def accumulated_by_the_gateway(code: str, first: str, last: str) -> Answer:
    """3: over the gateway's lists."""
    return _accumulated(
        (event.data.trading_date, row)
        for event in simulated_week().past_days
        if event.data.code == code and first <= event.data.trading_date <= last
        for row in event.data.rows
    )


def _accumulated(rows: Iterable[tuple[str, Any]]) -> Answer:
    totals: Counter[str] = Counter()
    dates = defaultdict(set)
    for date, row in rows:
        totals[row.broker_name] += row.net_vol
        dates[row.broker_name].add(date)
    return [(name, totals[name], len(listed)) for name, listed in dates.items()]


@answers(4)
def turned_over(begin: int, end: int) -> Answer:
    """4: gross flow per broker."""
    flows = defaultdict(list)
    for _, change in records(begin, end):
        if change.flow is not None and change.flow.turnover is not None:
            flows[change.broker_name].append(change.flow)
    for name, listed in flows.items():
        shares = [one.buy_vol + one.sell_vol for one in listed if one.buy_vol is not None and one.sell_vol is not None]
        yield name, sum(one.turnover or 0.0 for one in listed), sum(shares) if shares else None


@answers(5)
def turned_to_buying(begin: int, end: int) -> Answer:
    """5: sellers before, buyers after."""
    for event, change in records(begin, end):
        if change.before and change.after and (change.before.side, change.after.side) == ("sell", "buy"):
            data = event.data
            yield (
                *(data.code, change.broker_name, change.before.net_vol, change.after.net_vol),
                *(data.since, data.observed_at),
            )


@answers(6)
def buying_runs(code: str) -> Answer:
    """6: days in a row, counted one by one."""
    days = sorted({date for of, date, _ in closing_rows() if of == code})
    bought = {(row.broker_name, date) for of, date, row in closing_rows() if of == code and row.net_vol > 0}
    for name in {name for name, _ in bought}:
        for is_bought, run in groupby(days, key=lambda date, name=name: (name, date) in bought):  # type: ignore[misc]
            dates = list(run)
            if is_bought:
                yield name, len(dates), dates[0], dates[-1]


@answers(7)
def concentration(trading_date: str) -> Answer:
    """7: three of the listed buyers against all of them."""
    volumes = defaultdict(list)
    for code, _, row in closing_rows(trading_date):
        if row.side == "buy":
            volumes[code].append(row.net_vol)
    return [(code, len(listed), sum(sorted(listed)[-3:]) / sum(listed)) for code, listed in volumes.items()]


@answers(8)
def on_one_side(trading_date: str, codes: int) -> Answer:
    """8: the codes in which each broker stands on a side."""
    found = defaultdict(list)
    for code, _, row in closing_rows(trading_date):
        found[row.broker_name, row.side].append((code, row.net_vol))
    for key, listed in found.items():
        if (count := len({code for code, _ in listed})) >= codes:
            yield *key, count, sum(net_vol for _, net_vol in listed)


@answers(9)
def ages(now: int) -> Answer:
    """9: of the last event of each code."""
    for code in CODES:
        data = [event.data for event in stored() if event.data.code == code][-1]
        yield code, data.trading_date, data.seq, (now - data.observed_at) // 1000


@answers(10)
def corrections(begin: int, end: int) -> Answer:
    """10: per day and code."""
    of = [
        event.data for event in stored() if isinstance(event, CorrectionEvent) and begin <= event.data.observed_at < end
    ]
    return [(*key, count) for key, count in Counter((data.trading_date, data.code) for data in of).items()]


@answers(11)
def gaps() -> Answer:
    """10: events that do not follow on from the one before, by the number they say they follow."""
    last: dict[tuple[str, int], int] = {}
    for data in (event.data for event in stored()):
        before = last.get((data.code, data.epoch), 0)
        if before != (data.prev_seq or 0):
            yield data.code, data.epoch, data.trading_date, data.seq, (data.prev_seq or 0) - before
        last[data.code, data.epoch] = data.seq


def comparable(rows: Answer) -> list[tuple[Any, ...]]:
    """Rows in one order, numbers of one kind: PostgreSQL sums whole numbers as decimals."""
    plain = [tuple(float(value) if isinstance(value, Decimal | int) else value for value in row) for row in rows]
    return sorted(
        plain, key=lambda row: [str(round(value)) if isinstance(value, float) else str(value) for value in row]
    )


def agree(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether two rows are the same but for the rounding of sums."""
    return len(one) == len(other) and all(
        math.isclose(mine, yours, rel_tol=1e-9, abs_tol=1e-3) if isinstance(mine, float) else mine == yours
        for mine, yours in zip(one, other, strict=True)
        if not (mine is None and yours is None)
    )


async def test_every_query_of_the_page_answers_what_it_says(database_url: str) -> None:
    """Run one after the other on a week of four codes, five of its events lost."""
    async with open_database(database_url) as database:
        await Storage(database).handle(deliveries(stored()))
        await HistoryStorage(database).handle(deliveries(simulated_week().past_days))
    found = list(queries())
    assert len(found) == len(ANSWERS)
    async with open_readonly(database_url) as database, database.connect() as connection:
        for (sql, parameters), answer in zip(found, ANSWERS, strict=True):
            expected = comparable(answer(**parameters))
            given = comparable(map(tuple, (await connection.execute(text(sql), parameters)).all()))
            assert expected, f"the week has nothing for {answer.__doc__}"
            assert len(given) == len(expected), answer.__doc__
            for mine, yours in zip(given, expected, strict=True):
                assert agree(mine, yours), (answer.__doc__, mine, yours)


@pytest.mark.parametrize("word", ["json_", "strftime", "extract", "::", "->>"])
def test_no_query_needs_what_only_one_database_has(word: str) -> None:
    """Plain SQL, so that another database would do as well."""
    assert [sql for sql, _ in queries() if word in sql] == []
