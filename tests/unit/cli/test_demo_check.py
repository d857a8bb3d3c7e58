"""The demo's checker: it is content with what is right, and sees one row that is not."""

import asyncio
import copy
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from brokertape.cli.demo_check import Report, check
from brokertape.publisher.snapshot import Snapshot
from brokertape.publisher.step import Append, Base, next_step
from brokertape.simulator.given_answer import GivenAnswer
from brokertape.simulator.market_model import MarketModel, MarketSettings
from brokertape.simulator.rules import TopTenReply
from brokertape.tape.codec import dump
from brokertape.tape.events import HistoryEvent
from brokertape.tape.market_time import trading_date_of
from brokertape.workers.delivery import Delivery, Entry
from brokertape.workers.storage import Storage
from brokertape.workers.storage.database import open_database
from brokertape.workers.storage.history import HistoryStorage
from support import storages

BEGIN_S = 1_778_203_800.0  # 2026-05-08 09:30 market time
CODES = ("HK.00700", "HK.00005")
POLLS = 12
STEP_S = 20.0
STOPPED_MS = round(1000 * (BEGIN_S + POLLS * STEP_S)) + 60_000


class Demo:
    """A short demo without processes: its log and its database, both as they should be."""

    def __init__(self, directory: Path) -> None:
        self.answers = directory / "answers.jsonl"
        self.database = directory / "tape.db"

    async def make(self) -> None:
        """Poll a market model, log what it answers, store what the publisher's rules make of it."""
        market = MarketModel(MarketSettings(), BEGIN_S)
        bases = {code: Base(None) for code in CODES}
        deliveries: list[Delivery] = []
        lines: list[bytes] = []
        for number in range(POLLS):
            market.advance(BEGIN_S + number * STEP_S)
            for code in CODES:
                table = market.table(code)
                at = round(1000 * (BEGIN_S + number * STEP_S))
                reply = TopTenReply(0, "", table)
                lines.append(GivenAnswer(at, at, "1", code, 0, reply).as_json())
                step = next_step(bases[code], Snapshot.of(table, at, at), commit="c", source="/opend/x", now=at)
                if isinstance(step, Append):
                    entry = Entry(0, f"{len(deliveries) + 1}-0", {b"payload": dump(step.event)}, 1)
                    deliveries.append(Delivery(entry, step.event))
                    bases[code] = Base(step.book)
        days = [self._past_day(market, code, days_before, lines) for code in CODES for days_before in (1, 2)]
        self.answers.write_bytes(b"\n".join(lines) + b"\n")
        async with open_database(self.database) as database:
            await Storage(database).handle(deliveries)
            await HistoryStorage(database).handle(storages.deliveries(days))

    def _past_day(self, market: MarketModel, code: str, days_before: int, lines: list[bytes]) -> HistoryEvent:
        """A past day as the market answers it, logged."""
        table, at = market.table(code, days_before), STOPPED_MS
        lines.append(GivenAnswer(at, at, "1", code, days_before, TopTenReply(0, "", table)).as_json())
        date = trading_date_of(table.data_time or 0)
        return storages.past_day(code, date, Snapshot.of(table, at, at).rows, days_before=days_before)

    def check(self, stopped_ms: int = STOPPED_MS) -> Report:
        """The checker's report."""
        return check(self.answers, self.database, stopped_ms)

    def sql(self, statement: str, *arguments: Any) -> None:
        """Tamper with the database."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            assert connection.execute(statement, arguments).rowcount == 1

    def log(self) -> list[dict[str, Any]]:
        """The lines of the log."""
        return [json.loads(line) for line in self.answers.read_text().splitlines()]

    def write_log(self, lines: list[dict[str, Any]]) -> None:
        """Tamper with the log."""
        self.answers.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo that all tests begin with; nobody tampers with it."""
    demo = Demo(tmp_path_factory.mktemp("demo"))
    asyncio.run(demo.make())
    return demo


@pytest.fixture
def demo(made: Demo, tmp_path: Path) -> Demo:
    """A copy per test."""
    demo = Demo(tmp_path)
    shutil.copy(made.answers, demo.answers)
    shutil.copy(made.database, demo.database)
    return demo


def event_id(demo: Demo, place: int, code: str = "HK.00700") -> str:
    """The id of an event of a code, by its place."""
    with closing(sqlite3.connect(demo.database)) as connection:
        rows = connection.execute("select id from events where code = ? order by seq", (code,)).fetchall()
    return str(rows[place][0])


def test_what_is_right_has_no_faults(demo: Demo) -> None:
    """And is counted."""
    report = demo.check()
    assert report.faults == []
    assert (report.polls, report.codes, report.in_flight) == (POLLS * len(CODES), len(CODES), 0)
    assert report.events == report.tables == report.changes + len(CODES) > len(CODES)


@pytest.mark.parametrize("place", [0, 1, -1])
def test_a_lost_event_is_seen(demo: Demo, place: int) -> None:
    """The first, one in between, and the last, after which nothing comes."""
    demo.sql("delete from events where id = ?", event_id(demo, place))
    assert demo.check().faults


def test_a_lost_code_is_seen(demo: Demo) -> None:
    """With not one event of it stored."""
    for statement in (
        "delete from events where code = 'HK.00005'",
        "delete from changes where event_id like 'HK.00005%'",
    ):
        with closing(sqlite3.connect(demo.database)) as connection, connection:
            connection.execute(statement)
    assert demo.check().faults


@pytest.mark.parametrize("place", [0, 1, -1])
def test_a_doubled_event_is_seen(demo: Demo, place: int) -> None:
    """Under an id of its own, as the key forbids it another way."""
    demo.sql(
        "insert into events select id || 'x', type, code, epoch, seq, trading_date, data_time, since, observed_at, "
        "published_at, hash, payload from events where id = ?",
        event_id(demo, place),
    )
    assert any("stored twice" in fault for fault in demo.check().faults)


def test_a_poll_stored_twice_is_seen(demo: Demo) -> None:
    """As a further event, well-formed in itself, that the gateway never gave cause for."""
    last = event_id(demo, -1)
    code, epoch, seq = last.split("/")
    following = f"{code}/{epoch}/{int(seq) + 1}"
    with closing(sqlite3.connect(demo.database)) as connection:
        [payload] = connection.execute("select payload from events where id = ?", (last,)).fetchone()
    event = json.loads(payload)
    event["id"] = following
    event["data"] |= {"seq": int(seq) + 1, "prev_seq": int(seq), "changes": []}
    demo.sql(
        "insert into events select ?, type, code, epoch, seq + 1, trading_date, data_time, since, observed_at, "
        "published_at, hash, ? from events where id = ?",
        *(following, json.dumps(event), last),
    )
    demo.sql("update books set event_id = ? where code = ?", following, code)
    assert any("different tables were sent" in fault for fault in demo.check().faults)


@pytest.mark.parametrize(
    "statement",
    [
        "update events set payload = replace(payload, '\"net_vol\":', '\"net_vol\":1') where id = ?",
        "update events set payload = replace(payload, '\"avg_price\":4', '\"avg_price\":5') where id = ?",
        "update events set payload = 'none' where id = ?",
        "update events set observed_at = observed_at + 1 where id = ?",
        "update events set hash = 'x' where id = ?",
        "update events set type = 'x' where id = ?",
        "update changes set net_vol_after = net_vol_after + 1 where event_id = ? and change_index = 0",
        "update changes set kinds = 'left' where event_id = ? and change_index = 0",
        "update changes set flow_turnover = -1 where event_id = ? and change_index = 0",
        "delete from changes where event_id = ? and change_index = 0",
        "update changes set event_id = 'x' where event_id = ? and change_index = 0",
        "update books set list_rows = replace(list_rows, '\"rank\":1,', '') where ? != '' and code = 'HK.00005'",
        "delete from books where ? != '' and code = 'HK.00005'",
        "delete from history where ? != '' and id = (select min(id) from history)",
        "update history set days_before = 3 where ? != '' and id = (select min(id) from history)",
        "update history set id = 'x' where ? != '' and id = (select min(id) from history)",
        "update history_rows set net_vol = 1 where ? != '' and rowid = 5",
        "delete from history_rows where ? != '' and rowid = 5",
        "update history_rows set trading_date = '2026-01-02' where ? != '' and rowid = 5",
    ],
)
def test_an_altered_row_is_seen(demo: Demo, statement: str) -> None:
    """In whatever table and column it is."""
    demo.sql(statement, event_id(demo, 1))
    assert demo.check().faults


@pytest.mark.parametrize(
    ("name", "by"), [("net_vol", 1), ("avg_price", 0.001), ("total_vol", 1.0), ("total_turnover", 0.01)]
)
def test_a_value_that_was_not_sent_so_is_seen(demo: Demo, name: str, by: float) -> None:
    """Told by the log alone: the database agrees with itself."""
    lines = demo.log()
    lines[len(CODES)]["brokers"][0][name] += by
    demo.write_log(lines)
    assert any("differ from table 2 on" in fault for fault in demo.check().faults)


def one_more(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The log with a further, different answer of the last code."""
    more: dict[str, Any] = copy.deepcopy(lines[-1])
    more["sent_ms"] += 100
    more["brokers"][0]["net_vol"] += 100
    return [*lines, more]


def test_only_the_last_answer_of_a_code_may_have_been_in_flight(demo: Demo) -> None:
    """And only if it left just before the publisher was told to end."""
    polls = [line for line in demo.log() if line["days_before"] == 0]
    past = [line for line in demo.log() if line["days_before"]]
    lines = one_more(polls)
    demo.write_log([*past, *lines])
    assert demo.check().faults
    report = demo.check(stopped_ms=lines[-1]["sent_ms"])
    assert (report.in_flight, report.faults) == (1, [])
    demo.write_log([*past, *one_more(lines)])
    assert demo.check(stopped_ms=lines[-1]["sent_ms"]).faults


def test_refusals_and_past_days_are_no_polls(demo: Demo) -> None:
    """Neither changes a table."""
    lines = demo.log()
    refused = {**lines[0], "ret_type": -1, "ret_msg": "too often", "brokers": []}
    past = {**lines[0], "days_before": 1, "brokers": []}
    demo.write_log([refused, *lines[:3], past, refused, *lines[3:]])
    report = demo.check()
    assert (report.polls, report.faults) == (POLLS * len(CODES), [])


def test_a_past_day_that_was_not_stored_is_seen(demo: Demo) -> None:
    """The log has one more than the database."""
    lines = demo.log()
    demo.write_log([*lines, {**lines[-1], "code": "HK.00001"}])
    [fault] = demo.check().faults
    assert fault.startswith("past day HK.00001 ")
    assert fault.endswith("is missing")


def test_past_days_are_counted(demo: Demo) -> None:
    """Two of every code."""
    assert demo.check().past_days == 2 * len(CODES)


def test_a_missing_database_is_a_fault(demo: Demo) -> None:
    """Not a traceback."""
    demo.database.unlink()
    [fault] = demo.check().faults
    assert "cannot be read" in fault
