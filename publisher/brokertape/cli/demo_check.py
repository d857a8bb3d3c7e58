"""Whether a database holds what a gateway sent: nothing missing, nothing doubled, nothing altered.

Plain sqlite3 and json against the simulated gateway's own log, and nothing of ours in between: the rules are read
off the contract once more, so that a mistake in the code that wrote the events cannot hide itself here.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

MARKET_OFFSET = timedelta(hours=8)
IN_FLIGHT_MS = 1000  # an answer that left the gateway so shortly before the publisher was told to end may be lost
NUMBERS = ("net_vol", "avg_price", "total_vol", "total_turnover")
FLOW = ("net_vol", "buy_vol", "sell_vol", "turnover", "vwap")

Json = Mapping[str, Any]
Row = tuple[Any, ...]  # side, rank, name and the four numbers
Place = tuple[str, int]
CodeDay = tuple[str, str]
PastDay = tuple[int, tuple[Row, ...]]  # days before, and its rows: side, rank, name, net volume


@dataclass(frozen=True, slots=True)
class Table:
    """The list of a code: its market date, and its rows, buyers first, by rank."""

    date: str
    rows: tuple[Row, ...]


@dataclass(slots=True)
class Report:
    """What was compared, and every fault found."""

    polls: int = 0
    codes: int = 0
    tables: int = 0
    events: int = 0
    changes: int = 0
    in_flight: int = 0
    past_days: int = 0
    alerts: int = 0
    last_alert: str = ""
    faults: list[str] = field(default_factory=list)


def check(answers: Path, database: Path, stopped_ms: int) -> Report:
    """Compare what the gateway logged with what is stored.

    Args:
        answers: The gateway's log.
        database: The storage worker's SQLite file; nobody writes it any more.
        stopped_ms: When the publisher was told to end. Only an answer in flight then may be missing, the last of
            its code.
    """
    report = Report()
    try:
        _compare(answers, database, stopped_ms, report)
    except (ValueError, LookupError, TypeError, sqlite3.Error) as error:  # altered beyond reading
        report.faults.append(f"cannot be read: {error!r}")
    return report


def _compare(answers: Path, database: Path, stopped_ms: int, report: Report) -> None:
    sent, past = _read_answers(answers, report)
    report.codes = len(sent)
    report.past_days = len(past)
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        stored = _read_events(connection, report)
        rebuilt = {code: list(_rebuild(events, report.faults)) for code, events in stored.items()}
        _compare_changes(connection, stored, report.faults)
        _compare_books(connection, stored, rebuilt, report.faults)
        _compare_past_days(connection, past, report.faults)
    for code in sorted({*sent, *rebuilt}):
        _compare_code(code, sent.get(code, []), rebuilt.get(code, []), stopped_ms, report)


# --- what was sent --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Answer:
    sent_ms: int
    table: Table


def _read_answers(path: Path, report: Report) -> tuple[dict[str, list[_Answer]], dict[CodeDay, PastDay]]:
    """Code → the tables it was answered with, in order; and the past days, by code and date. Refusals are none."""
    answers: dict[str, list[_Answer]] = {}
    past: dict[CodeDay, PastDay] = {}
    with path.open(encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            if line["ret_type"] == 0 and line["days_before"] == 0:
                report.polls += 1
                of_code = answers.setdefault(line["code"], [])
                date = _date_of(line, of_code[-1].table.date if of_code else None)
                of_code.append(_Answer(line["sent_ms"], Table(date, tuple(_sent_rows(line["brokers"])))))
            elif line["ret_type"] == 0 and line["brokers"]:
                # A day that is asked for twice is stored once, as it was first.
                rows = tuple(row[:4] for row in _sent_rows(line["brokers"]))
                past.setdefault((line["code"], _date_of(line, None)), (line["days_before"], rows))
    return answers, past


def _date_of(line: Json, before: str | None) -> str:
    """The market date of a table: by its own stamp, else the one before, else today's."""
    if not line["data_time"] and before is not None:
        return before
    moment = datetime.fromtimestamp(line["data_time"] or line["sent_ms"] / 1000, UTC)
    return (moment + MARKET_OFFSET).date().isoformat()


def _sent_rows(brokers: Sequence[Json]) -> Iterator[Row]:
    for side in ("buy", "sell"):
        of_side = (broker for broker in brokers if _side(broker) == side)
        for rank, broker in enumerate(of_side, start=1):
            yield (side, rank, broker["broker_name"], *(broker[name] for name in NUMBERS))


def _side(broker: Json) -> str:
    if broker["buy_sell_type"] is not None:
        return "sell" if broker["buy_sell_type"] == 2 else "buy"
    return "sell" if (broker["net_vol"] or 0) < 0 else "buy"


def _distinct(tables: Iterable[Table]) -> list[Table]:
    """Consecutive equal ones collapse: a poll that finds nothing new writes no event."""
    distinct: list[Table] = []
    for table in tables:
        if not distinct or table != distinct[-1]:
            distinct.append(table)
    return distinct


# --- what is stored -------------------------------------------------------------------------------------------------


def _read_events(connection: sqlite3.Connection, report: Report) -> dict[str, list[Json]]:
    """Code → its events, in the order they were published."""
    events: dict[str, list[Json]] = {}
    seen: set[str] = set()
    for record in connection.execute("select * from events order by code, epoch, seq"):
        event = json.loads(record["payload"])
        report.faults += _record_faults(record, event)
        if event["id"] in seen:
            report.faults.append(f"{event['id']} is stored twice")
        seen.add(event["id"])
        report.events += 1
        report.changes += event["type"] == "brokertape.change.v1"
        events.setdefault(event["data"]["code"], []).append(event)
    return events


def _record_faults(record: sqlite3.Row, event: Json) -> Iterator[str]:
    """Every column says what the payload says."""
    data = event["data"]
    if event["id"] != f"{data['code']}/{data['epoch']}/{data['seq']}":
        yield f"{event['id']} is not the id of its code, epoch and seq"
    for name in record.keys():  # noqa: SIM118 - a sqlite3.Row yields its values
        wanted = event[name] if name in ("id", "type") else data.get(name)
        if name != "payload" and record[name] != wanted:
            yield f"{record['id']}: column {name} is {record[name]!r}, its payload has {wanted!r}"


def _rebuild(events: Sequence[Json], faults: list[str]) -> Iterator[Table]:
    """The table after every event, by applying them in order."""
    rows: dict[Place, Row] = {}
    before: Json | None = None
    for event in events:
        data = event["data"]
        faults += _sequence_faults(event, before)
        if event["type"] == "brokertape.change.v1":
            faults += _apply(rows, event)
        else:
            rows = {_place(row): _stored_row(row) for row in data["rows"]}
        table = Table(data["trading_date"], tuple(rows[place] for place in sorted(rows)))
        if _hash(table.rows) != data["hash"]:
            faults.append(f"{event['id']} does not lead to the rows of its hash")
        yield table
        before = data


def _sequence_faults(event: Json, before: Json | None) -> Iterator[str]:
    data = event["data"]
    if before is None or data["epoch"] != before["epoch"]:
        if (data["seq"], data["prev_seq"], event["type"]) != (1, None, "brokertape.baseline.v1"):
            yield f"{event['id']} begins an epoch, and is no baseline with seq 1"
    elif (data["seq"], data["prev_seq"]) != (before["seq"] + 1, before["seq"]):
        yield f"{event['id']} stands behind seq {before['seq']}"


def _apply(rows: dict[Place, Row], event: Json) -> Iterator[str]:
    """Take out every `before`, then put in every `after`."""
    for change in event["data"]["changes"]:
        row = change["before"]
        if row is not None and rows.pop(_place(row), None) != _stored_row(row):
            yield f"{event['id']}: {change['broker_name']!r} did not stand where its change says"
    for change in event["data"]["changes"]:
        row = change["after"]
        if row is not None:
            if _place(row) in rows:
                yield f"{event['id']}: two rows at {_place(row)}"
            rows[_place(row)] = _stored_row(row)


def _place(row: Json) -> Place:
    return row["side"], row["rank"]


def _stored_row(row: Json) -> Row:
    return (row["side"], row["rank"], row["broker_name"], *(row[name] for name in NUMBERS))


def _hash(rows: Iterable[Row]) -> str:
    lines = (f"{side}|{rank}|{name}|{'' if net is None else net}\n" for side, rank, name, net, *_ in rows)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


# --- comparing ------------------------------------------------------------------------------------------------------


def _compare_code(code: str, sent: list[_Answer], rebuilt: list[Table], stopped_ms: int, report: Report) -> None:
    wanted = _distinct(answer.table for answer in sent)
    report.tables += len(wanted)
    if wanted == rebuilt:
        return
    if sent and sent[-1].sent_ms > stopped_ms - IN_FLIGHT_MS and _distinct(one.table for one in sent[:-1]) == rebuilt:
        report.in_flight += 1
        return
    place = next((at for at, pair in enumerate(zip(wanted, rebuilt, strict=False)) if pair[0] != pair[1]), None)
    where = f"they differ from table {place + 1} on" if place is not None else "the shorter is the other's beginning"
    report.faults.append(f"{code}: {len(wanted)} different tables were sent, {len(rebuilt)} are stored; {where}")


def _compare_changes(connection: sqlite3.Connection, events: Mapping[str, list[Json]], faults: list[str]) -> None:
    """The table `changes` says what the payloads say, row for row."""
    wanted = {
        (event["id"], index): _change_columns(change)
        for of_code in events.values()
        for event in of_code
        for index, change in enumerate(event["data"].get("changes", []))
    }
    found = {}
    for record in connection.execute("select * from changes"):
        columns = dict(record)
        found[columns.pop("event_id"), columns.pop("change_index")] = columns
    faults += [
        f"change {key}: {_difference(wanted.get(key), found.get(key))}"
        for key in sorted({*wanted, *found})
        if wanted.get(key) != found.get(key)
    ]


def _change_columns(change: Json) -> dict[str, Any]:
    before, after, flow = change["before"] or {}, change["after"] or {}, change["flow"] or {}
    columns = {"broker_name": change["broker_name"], "ordinal": change.get("ordinal")}
    columns["kinds"] = ",".join(change["kinds"])
    for name in ("side", "rank", *NUMBERS):
        columns |= {f"{name}_before": before.get(name), f"{name}_after": after.get(name)}
    return columns | {f"flow_{name}": flow.get(name) for name in FLOW}


def _difference(wanted: Json | None, found: Json | None) -> str:
    if wanted is None or found is None:
        return "is stored and was not published" if wanted is None else "is missing"
    names = [name for name in {*wanted, *found} if wanted.get(name) != found.get(name)]
    return f"differs in {', '.join(sorted(names))}"


def _compare_books(
    connection: sqlite3.Connection,
    events: Mapping[str, list[Json]],
    rebuilt: Mapping[str, list[Table]],
    faults: list[str],
) -> None:
    """The table `books` holds the last table of every code."""
    books = {record["code"]: record for record in connection.execute("select * from books")}
    for code in sorted({*books, *rebuilt}):
        record = books.get(code)
        if record is None or code not in rebuilt:
            faults.append(f"{code}: the book is {'missing' if record is None else 'there, its events are not'}")
            continue
        rows = tuple(_stored_row(row) for row in json.loads(record["list_rows"]))
        last = rebuilt[code][-1]
        if (record["event_id"], record["trading_date"], rows) != (events[code][-1]["id"], last.date, last.rows):
            faults.append(f"{code}: the book is not the table after its last event")


def _compare_past_days(connection: sqlite3.Connection, sent: Mapping[CodeDay, PastDay], faults: list[str]) -> None:
    """The tables `history` and `history_rows` hold every past day that was sent, once, as it was sent."""
    stored: dict[CodeDay, PastDay] = {}
    for record in connection.execute("select id, code, trading_date, days_before from history"):
        day = record["code"], record["trading_date"]
        if record["id"] != f"{day[0]}/history/{day[1]}":
            faults.append(f"{record['id']} is not the id of its code and date")
        stored[day] = record["days_before"], ()
    query = "select code, trading_date, side, rank, broker_name, net_vol from history_rows order by side, rank"
    for code, date, *row in connection.execute(query):
        days_before, rows = stored.get((code, date), (0, ()))
        stored[code, date] = days_before, (*rows, tuple(row))
    faults += [
        f"past day {code} {date}: {_past_fault(sent.get((code, date)), stored.get((code, date)))}"
        for code, date in sorted({*sent, *stored})
        if sent.get((code, date)) != stored.get((code, date))
    ]


def _past_fault(sent: PastDay | None, stored: PastDay | None) -> str:
    if sent is None or stored is None:
        return "is stored and was not sent" if sent is None else "is missing"
    return "is not stored as it was sent"
