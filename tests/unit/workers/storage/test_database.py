"""Opening the database: where it is, whose it is, and what is said when it cannot be."""

import asyncio
import os
import re
import sqlite3
import stat
from pathlib import Path

import pytest

from brokertape.workers.storage.database import database_errors, database_path, open_database
from brokertape.workers.storage.errors import (
    CannotOpen,
    DatabaseUnavailable,
    NotOurDatabase,
    UnsupportedDatabase,
    WrongSchema,
)


async def open_and_close(path: Path) -> None:
    """Nothing but the checks at start."""
    async with open_database(path):
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
    ["postgresql://me:secret@host/tape", "sqlite://tape.db", "", "sqlite:///", ":memory:", "sqlite:///:memory:"],
)
def test_any_other_database_is_one_clear_line(database: str) -> None:
    """It says what to write instead, and no password."""
    with pytest.raises(UnsupportedDatabase, match="use a file path or sqlite:///PATH") as raised:
        database_path(database)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_a_new_file_is_private_and_in_wal_mode(tmp_path: Path) -> None:
    """So are the files SQLite puts beside it: payloads are nobody else's business."""
    async with open_database(tmp_path / "t.db") as engine, engine.begin() as connection:
        assert (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar() == "wal"
        assert (await connection.exec_driver_sql("PRAGMA synchronous")).scalar() == 2
        modes = {name: stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in os.listdir(tmp_path)}
    assert modes == dict.fromkeys(("t.db", "t.db-wal", "t.db-shm"), 0o600)


async def test_a_database_opens_again(tmp_path: Path) -> None:
    """What we made is ours."""
    await open_and_close(tmp_path / "t.db")
    await open_and_close(tmp_path / "t.db")


async def test_two_workers_may_make_it_at_once(tmp_path: Path) -> None:
    """One makes the tables, the other finds them whole."""
    await asyncio.gather(*(open_and_close(tmp_path / "t.db") for _ in range(4)))


async def test_a_reader_reads_while_the_writer_writes(tmp_path: Path) -> None:
    """A read-only connection of another process sees what is committed and blocks nobody."""
    path = tmp_path / "t.db"
    async with open_database(path) as engine, engine.begin() as connection:
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


async def test_a_database_of_something_else_is_not_touched(tmp_path: Path) -> None:
    """Our tables do not go among those of a stranger."""
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE accounts (id)")
    other.close()
    with pytest.raises(NotOurDatabase, match=r"holds other tables \(accounts\): choose another file"):
        await open_and_close(path)


async def test_another_schema_version_is_one_clear_line(tmp_path: Path) -> None:
    """Which one it has and which one we write."""
    path = tmp_path / "t.db"
    await open_and_close(path)
    with sqlite3.connect(path) as later:
        later.execute("UPDATE schema_version SET version = 7")
    later.close()
    with pytest.raises(WrongSchema, match=r"has schema version 7, this program writes 1$"):
        await open_and_close(path)


async def test_a_locked_database_is_unavailable_not_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else is writing: the same batch is tried again."""
    monkeypatch.setattr("brokertape.workers.storage.database.PRAGMAS", ("PRAGMA busy_timeout=1",))
    path = tmp_path / "t.db"
    async with open_database(path) as engine:
        with sqlite3.connect(path) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseUnavailable, match=r"t\.db: database is locked"), database_errors(engine):
                async with engine.begin() as connection:
                    await connection.exec_driver_sql("INSERT INTO positions VALUES ('g', 0, '1-0')")
        other.close()
