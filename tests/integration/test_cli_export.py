"""`brokertape export`: what is in the file is what is in the database, and nothing is left of what was ended."""

import csv
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet  # type: ignore[import-untyped]
from sqlalchemy import Float, Text

from brokertape.workers.storage.database import open_database
from brokertape.workers.storage.exports import EXPORTS, Export
from brokertape.workers.storage.history import HistoryStorage
from brokertape.workers.storage.storage import Storage
from support import large_database
from support.commands import COMMAND, run_command, running
from support.storages import deliveries, past_day
from support.tape_database import query
from support.tape_factory import TapeFactory

SECONDS_OF_ROWS = 300_000
MANY = 99_000
# By format: the rows of MANY, fetched at once, take 130 and 220 MiB; a Parquet file holds a group of rows back.
MEMORY_MIB = {"csv": 50, "parquet": 160}

# Runs a command and says at its end how much memory it ever had, in kB. The kernel counts it from the start of the
# program: `ru_maxrss` begins with what the parent had, which is more than an export has.
MEASURED = """
import re, sys
from pathlib import Path
from brokertape.cli.app import app
sys.argv[0] = "brokertape"
try:
    app()
finally:
    print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""

STORED = {
    "events": "SELECT * FROM events ORDER BY observed_at, id",
    "changes": "SELECT c.*, e.code, e.epoch, e.seq, e.trading_date, e.data_time, e.since, e.observed_at, e.published_at"
    " FROM changes c, events e WHERE c.event_id = e.id ORDER BY e.observed_at, e.id, c.change_index",
    "closes": "SELECT r.*, c.event_id, c.data_time FROM closes c, close_rows r WHERE r.code = c.code"
    " AND r.trading_date = c.trading_date ORDER BY r.trading_date, r.code, r.side, r.rank",
    "history": "SELECT r.*, h.id, h.days_before, h.data_time, h.source FROM history h, history_rows r"
    " WHERE r.code = h.code AND r.trading_date = h.trading_date ORDER BY r.trading_date, r.code, r.side, r.rank",
}


@pytest.fixture
async def database(database_url: str) -> str:
    """A database with something in every table."""
    factories = [TapeFactory(code) for code in ("HK.00005", "HK.00700")]
    async with open_database(database_url) as database:
        for factory in factories:
            events = [*factory.day(30), factory.rollover(), factory.correction(), *(factory.change() for _ in range(9))]
            await Storage(database).handle(deliveries(events))
            days = [past_day(factory.code, f"2026-05-0{day}", factory.rows) for day in (6, 7)]
            await HistoryStorage(database).handle(deliveries(days))
    return database_url


def typed(export: Export, lines: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    """Lines of CSV as the values they stand for; only a column that is never null may hold an empty text."""
    types = {column.name: column.type for column in export.columns}

    def value(name: str, text: str) -> Any:
        if text == "" and name != "broker_name":
            return None
        return text if isinstance(types[name], Text) else float(text) if isinstance(types[name], Float) else int(text)

    return [{name: value(name, text) for name, text in line.items()} for line in lines]


@pytest.mark.parametrize("table", EXPORTS)
@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_a_file_holds_what_the_database_holds(database: str, tmp_path: Path, table: str, file_format: str) -> None:
    """Every row and every value, in the order of time."""
    arguments = ("--table", table, "--format", file_format, "--database", database)
    ended = run_command("export", *arguments, cwd=tmp_path)
    path = tmp_path / f"{table}.{file_format}"
    stored = query(database, STORED[table])
    assert (ended.code, ended.out, ended.err) == (0, "", f"{len(stored)} rows in {path.name}\n")
    assert len(stored) > 10
    if file_format == "csv":
        with path.open(newline="", encoding="utf-8") as lines:
            found = typed(EXPORTS[table], list(csv.DictReader(lines)))
    else:
        found = parquet.read_table(path).to_pylist()
    assert found == stored
    assert path.stat().st_mode & 0o777 == 0o600


def test_columns_of_a_parquet_file_have_types_and_units(database: str, tmp_path: Path) -> None:
    """Also those that hold nothing but nulls; time stays the tape's whole numbers."""
    run_command("export", "--database", database, "--from", "2030-01-01", cwd=tmp_path)
    schema = parquet.read_schema(tmp_path / "changes.parquet")
    assert (str(schema.field("observed_at").type), schema.field("observed_at").metadata) == (
        "int64",
        {b"unit": b"ms since 1970"},
    )
    assert (str(schema.field("flow_turnover").type), schema.field("flow_turnover").metadata) == (
        "double",
        {b"unit": b"HKD"},
    )
    assert parquet.read_metadata(tmp_path / "changes.parquet").num_rows == 0


def test_standard_output_is_the_table_alone(database: str, tmp_path: Path) -> None:
    """Of the codes and the time that were asked for."""
    span = ("--from", "2026-05-08 08:00:02", "--to", "2026-05-08 08:00:03")
    arguments = ("--table", "events", "--format", "csv", "--output", "-", "--code", "HK.00700", *span)
    ended = run_command("export", *arguments, "--database", database, cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert [(row["code"], row["seq"]) for row in csv.DictReader(io.StringIO(ended.out))] == [
        ("HK.00700", "2"),
        ("HK.00700", "3"),
    ]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--output", "notes.csv"), "notes.csv is there already: --force replaces it"),
        (("--output", "/dev/null", "--force"), "/dev/null is no file"),
        (("--output", "nowhere/a.csv"), "nowhere/a.csv: No such file or directory"),
        (("--output", "-", "--format", "parquet"), "Parquet needs a file that can be read back"),
        (("--from", "noon"), "'noon' is no time such as 2026-05-08 14:30"),
        (("--table", "closes", "--to", "2026-05-08 08:00"), "is no date such as 2026-05-08"),
        (("--code", "700"), "700"),
        (("--database", "none.db"), "database none.db: No such file or directory"),
    ],
)
async def test_what_cannot_be_done_is_one_clear_line(tmp_path: Path, arguments: Sequence[str], line: str) -> None:
    """And leaves everything as it was."""
    (tmp_path / "notes.csv").write_text("mine")
    await large_database.fill(tmp_path / "t.db", 3)
    before = sorted(os.listdir(tmp_path))
    ended = run_command("export", "--format", "csv", "--database", "t.db", *arguments, cwd=tmp_path)
    assert line in ended.complaint
    assert (tmp_path / "notes.csv").read_text() == "mine"
    assert sorted(name for name in os.listdir(tmp_path) if not name.endswith(("-wal", "-shm"))) == before


async def test_a_file_is_replaced_when_that_is_wished(tmp_path: Path) -> None:
    """By the whole new one."""
    (tmp_path / "changes.csv").write_text("old")
    await large_database.fill(tmp_path / "t.db", 3)
    ended = run_command("export", "--format", "csv", "--database", "t.db", "--force", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "3 rows in changes.csv\n")
    assert (tmp_path / "changes.csv").read_text().count("\n") == 4


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
async def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, file_format: str) -> None:
    """In the middle of the rows."""
    await large_database.fill(tmp_path / "t.db", SECONDS_OF_ROWS)
    (directory := tmp_path / "out").mkdir()
    arguments = ("--format", file_format, "--database", str(tmp_path / "t.db"), "--output", str(directory / "x"))
    with running("export", "export", *arguments, directory=tmp_path) as export:
        export.until(lambda _: any(path.stat().st_size for path in directory.iterdir()))
        ended = export.interrupt()
    assert (ended.code, ended.out) == (130, "")
    assert [line for line in ended.err.splitlines() if not line.startswith("changes: ")] == []  # how far it had come
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
async def test_a_full_disk_is_one_clear_line(postgresql_url: str, tmp_path: Path, file_format: str) -> None:
    """And leaves no half of a file; here the disk is a limit of the shell."""
    await large_database.fill(postgresql_url, 30_000)
    (directory := tmp_path / "out").mkdir()
    arguments = ("--format", file_format, "--database", postgresql_url, "--output", str(directory / "x"))
    limited = ("bash", "-c", 'trap "" XFSZ; ulimit -f 64; exec "$@"', "bash", *COMMAND)
    with running("export", "export", *arguments, directory=tmp_path, program=limited) as export:
        assert export.process.wait(60) == 2
    assert export.err == f"brokertape: {directory / 'x'}: File too large\n"
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
async def test_memory_does_not_grow_with_the_rows(database_url: str, tmp_path: Path, file_format: str) -> None:
    """Beyond what the program takes to start."""
    await large_database.fill(database_url, MANY)
    peaks = []
    for last in ("2000-01-01", "2030-01-01"):
        arguments = ("export", "--format", file_format, "--database", database_url, "--to", last, "--force")
        program = (sys.executable, "-c", MEASURED)
        with running("measured", *arguments, directory=tmp_path, program=program) as export:
            assert export.process.wait(60) == 0, export.err
            peaks.append(int(export.out))
    assert export.err.endswith(f"{MANY} rows in changes.{file_format}\n")
    assert (peaks[1] - peaks[0]) / 1024 < MEMORY_MIB[file_format]
