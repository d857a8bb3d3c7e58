"""Opening the database: where it is, whose it is, and what is said when it cannot be."""

import asyncio
import os
import re
import sqlite3
import stat
from pathlib import Path

import pytest

from brokertape.workers.storage.database import open_database, open_readonly
from brokertape.workers.storage.errors import (
    CannotOpen,
    DatabaseUnavailable,
    NotOurDatabase,
    UnsupportedDatabase,
    WrongSchema,
)
from brokertape.workers.storage.schema import closes
from brokertape.workers.storage.sqlite import database_path
from support import tape_database


async def open_and_close(url: str | Path) -> None:
    """Nothing but the checks at start."""
    async with open_database(url):
        pass


async def look_into(url: str | Path) -> None:
    """Nothing but the checks of a reader at start."""
    async with open_readonly(url):
        pass


@pytest.mark.parametrize(
    ("database", "path"),
    [("tape.db", "tape.db"), ("sqlite:///tape.db", "tape.db"), ("sqlite:////var/lib/t.db", "/var/lib/t.db")],
)
def test_a_database_is_a_path_or_a_url(database: str, path: str) -> None:
    """Three slashes and a relative path, four and an absolute one, as SQLAlchemy has it."""
    assert database_path(database) == Path(path)


@pytest.mark.parametrize(
    "database",
    ["mysql://me:secret@host/tape", "sqlite://tape.db", "", "sqlite:///", ":memory:", "sqlite:///:memory:"],
)
def test_any_other_database_is_one_clear_line(database: str) -> None:
    """It says what to write instead, and no password."""
    with pytest.raises(UnsupportedDatabase, match="use a file path, sqlite:///PATH or postgresql://") as raised:
        database_path(database)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_an_sqlite_that_is_too_old_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any file is made."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 31, 1))
    with pytest.raises(UnsupportedDatabase, match=r"writing needs 3\.32 or newer"):
        await open_and_close(tmp_path / "t.db")
    assert not (tmp_path / "t.db").exists()


@pytest.mark.parametrize("count", [0, 1, 4, 5, 49, 50, 51, 499, 500, 501, 1100])
async def test_records_are_stored_once_however_many_come_at_once(database_url: str, count: int) -> None:
    """Some again, some twice in one go: what is new is counted, and each is there with its own values."""
    records = [(f"HK.{number:05}", "2026-05-08", f"e{number}", number) for number in range(count)]
    async with open_database(database_url) as database:
        async with database.begin() as connection:
            first = await database.insert_new(connection, closes, records[: count // 3])
        async with database.begin() as connection:
            second = await database.insert_new(connection, closes, [*records, *records[count // 2 :]])
        assert (first, second) == (count // 3, count - count // 3)
        async with database.begin() as connection:
            await database.replace(connection, closes, [(*record[:2], "again", None) for record in records[1:]])
    rows = [tuple(row.values()) for row in tape_database.query(database_url, "SELECT * FROM closes ORDER BY code")]
    assert rows == records[:1] + [(*record[:2], "again", None) for record in records[1:]]


async def test_a_new_file_is_private_and_in_wal_mode(tmp_path: Path) -> None:
    """So are the files SQLite puts beside it: payloads are nobody else's business."""
    async with open_database(tmp_path / "t.db") as database, database.begin() as connection:
        assert (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar() == "wal"
        assert (await connection.exec_driver_sql("PRAGMA synchronous")).scalar() == 2
        modes = {name: stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in os.listdir(tmp_path)}
    assert modes == dict.fromkeys(("t.db", "t.db-wal", "t.db-shm"), 0o600)


async def test_a_database_opens_again(database_url: str) -> None:
    """What we made is ours."""
    await open_and_close(database_url)
    await open_and_close(database_url)
    await look_into(database_url)


async def test_two_workers_may_make_it_at_once(database_url: str) -> None:
    """One makes the tables, the other finds them whole."""
    await asyncio.gather(*(open_and_close(database_url) for _ in range(4)))


async def test_a_reader_reads_while_the_writer_writes(tmp_path: Path) -> None:
    """A read-only connection of another process sees what is committed and blocks nobody."""
    path = tmp_path / "t.db"
    async with open_database(path) as database, database.begin() as connection:
        await connection.exec_driver_sql("INSERT INTO positions VALUES ('g', 0, '1-0')")
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as reader:
            assert reader.execute("SELECT count(*) FROM positions").fetchone() == (0,)
        reader.close()


@pytest.mark.parametrize("name", ["missing/t.db", "."])
async def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path: Path, name: str) -> None:
    """The line names the path and the reason."""
    with pytest.raises(CannotOpen, match=f"^database {re.escape(str(tmp_path / name))}: [A-Z][a-z ]+$"):
        await open_and_close(tmp_path / name)


async def test_a_file_that_is_no_database_is_not_touched(tmp_path: Path) -> None:
    """Not even its first bytes."""
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n" * 200)
    with pytest.raises(NotOurDatabase, match=r"^database .*notes\.txt: file is not a database$"):
        await open_and_close(path)
    assert path.read_text() == "my notes\n" * 200


async def test_a_database_of_something_else_is_not_touched(database_url: str) -> None:
    """Our tables do not go among those of a stranger."""
    tape_database.alter(database_url, "CREATE TABLE accounts (id int)")
    for opens in (open_and_close, look_into):
        with pytest.raises(NotOurDatabase, match=r"holds other tables \(accounts\): choose another (file|database)"):
            await opens(database_url)


async def test_another_schema_version_is_one_clear_line(database_url: str) -> None:
    """Which one it has and which one we need."""
    await open_and_close(database_url)
    tape_database.alter(database_url, "UPDATE schema_version SET version = 7")
    for opens in (open_and_close, look_into):
        with pytest.raises(WrongSchema, match=r"has schema version 7, this program needs 1$"):
            await opens(database_url)


async def test_a_table_that_is_gone_is_one_clear_line(database_url: str) -> None:
    """It is not made anew: what it held would be missing without a word."""
    await open_and_close(database_url)
    tape_database.alter(database_url, "DROP TABLE closes")
    with pytest.raises(WrongSchema, match="lacks the table closes"):
        await open_and_close(database_url)


async def test_a_reader_cannot_write(database_url: str) -> None:
    """Whatever it tries."""
    await open_and_close(database_url)
    async with open_readonly(database_url) as database:
        with pytest.raises((CannotOpen, DatabaseUnavailable), match=r"read-?only"):
            async with database.begin() as connection:
                await connection.exec_driver_sql("INSERT INTO positions VALUES ('g', 0, '1-0')")


async def test_a_reader_makes_nothing(tmp_path: Path, postgresql_url: str) -> None:
    """A file that is not there, and a database without tables, are one clear line."""
    with pytest.raises(CannotOpen, match=r"none\.db: No such file or directory$"):
        await look_into(tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(NotOurDatabase, match="is empty: `brokertape store` fills it"):
        await look_into(postgresql_url)


async def test_a_file_with_an_odd_name_can_be_read(tmp_path: Path) -> None:
    """What means something in a URL is a part of the name."""
    path = tmp_path / "a?b#c%20 d.db"
    await open_and_close(path)
    await look_into(path)
    assert {name.removesuffix("-wal").removesuffix("-shm") for name in os.listdir(tmp_path)} == {path.name}


async def test_a_locked_database_is_unavailable_not_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else is writing: the same batch is tried again."""
    monkeypatch.setattr("brokertape.workers.storage.sqlite.PRAGMAS", ("PRAGMA busy_timeout=1",))
    path = tmp_path / "t.db"
    async with open_database(path) as database:
        with sqlite3.connect(path) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseUnavailable, match=r"t\.db: database is locked"):
                async with database.begin() as connection:
                    await connection.exec_driver_sql("INSERT INTO positions VALUES ('g', 0, '1-0')")
        other.close()
