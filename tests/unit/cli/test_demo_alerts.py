"""The demo's check of its alerts finds what is missing, doubled or invented."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from brokertape.cli.demo_alerts import compare_alerts, write_rules
from brokertape.tape.codec import dump
from brokertape.workers.alerts.event import alert_event
from brokertape.workers.alerts.rule_file import load_rules
from support.alerting import Judged
from support.scripted_day import ScriptedDay
from support.telling import SOURCE


class Told:
    """A day on which somebody turns three times, stored, and told as it should be."""

    def __init__(self, directory: Path) -> None:
        self.database, self.rules, self.told = (directory / name for name in ("tape.db", "rules.toml", "told.jsonl"))
        write_rules(self.rules, self.told)
        day = ScriptedDay()
        events = [day.trade("UBS", buy=200).baseline()]
        events += [day.trade("UBS", buy=buy, sell=400 - buy).poll() for buy in (0, 400, 0)]
        with closing(sqlite3.connect(self.database)) as connection:
            connection.execute("create table events (payload, published_at, code, seq)")
            connection.executemany(
                "insert into events values (?, ?, ?, ?)",
                [(dump(event).decode(), event.data.published_at, event.data.code, event.data.seq) for event in events],
            )
            connection.commit()
        self.lines = [dump(alert_event(one, SOURCE)) for one in Judged(load_rules(self.rules)).take(*events)]

    def faults(self) -> list[str]:
        """What the check says."""
        self.told.write_bytes(b"".join(line + b"\n" for line in self.lines))
        return compare_alerts(self.database, self.rules, self.told).faults


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """All as it should be."""
    return Told(tmp_path)


def test_what_was_told_as_it_should_be_is_right(told: Told) -> None:
    """There is something to tell, and it says the last of it."""
    assert told.faults() == []
    report = compare_alerts(told.database, told.rules, told.told)
    assert report.told == len(told.lines) >= 3
    assert report.last == json.loads(told.lines[-1])["data"]["message"]


def test_a_missing_alert_is_found(told: Told) -> None:
    """By its id."""
    lost = json.loads(told.lines.pop(1))["id"]
    assert told.faults() == [f"alert {lost} was not told"]


def test_a_doubled_alert_is_found(told: Told) -> None:
    """Nothing was killed: it is to come once."""
    told.lines.append(told.lines[0])
    assert told.faults() == [f"alert {json.loads(told.lines[0])['id']} was told 2 times"]


def test_an_invented_alert_is_found(told: Told) -> None:
    """Of an event that gives rise to none."""
    told.lines[0] = told.lines[0].replace(b"/2/turns/", b"/9/turns/")
    faults = told.faults()
    assert len(faults) == 2
    assert faults[1].endswith("was told for nothing")
