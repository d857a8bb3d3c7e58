"""`brokertape book`: the latest list and one of the past."""

import json
from pathlib import Path

import pytest
import redis.asyncio
from msgspec.structs import asdict

from brokertape.cli.redis_server import RedisServer
from brokertape.tape.events import TapeEvent
from brokertape.tape.market_time import rfc3339
from brokertape.workers.storage.database import open_database
from brokertape.workers.storage.storage import Storage
from support.commands import run_command
from support.storages import deliveries
from support.tape_factory import TapeFactory, create_tape
from support.tape_writer import TapeWriter

AT = "2026-05-08 08:00:04.500"  # market time, between the third and the fourth event after the factory's epoch


@pytest.fixture
async def stored(database_url: str) -> list[TapeEvent]:
    """The events of a database."""
    events = TapeFactory().day(6)
    async with open_database(database_url) as database:
        await Storage(database).handle(deliveries(events))
    return events


def test_a_list_of_the_past_is_that_of_its_moment(stored: list[TapeEvent], database_url: str, tmp_path: Path) -> None:
    """Place and rows; a time without a zone is market time, as is said beside the table."""
    event = stored[3]
    for at in (AT, rfc3339(event.data.observed_at + 500)):
        ended = run_command("book", "HK.00700", "--at", at, "--database", database_url, "--json", cwd=tmp_path)
        assert (ended.code, ended.err) == (0, "")
        found = json.loads(ended.out)
        assert (found["epoch"], found["seq"], found["hash"]) == (event.data.epoch, 4, event.data.hash)
    shown = run_command("book", "HK.00700", "--at", AT, "--database", database_url, cwd=tmp_path)
    assert (shown.code, shown.err) == (0, "")
    assert [row["broker_name"] for row in found["rows"] if row["broker_name"] not in shown.out] == []
    assert "observed_at   2026-05-08 08:00:04.000+08:00\n" in shown.out
    assert f"epoch/seq     {event.data.epoch}/4\nhash          {event.data.hash}\n" in shown.out


def test_what_cannot_be_told_is_one_clear_line(stored: list[TapeEvent], database_url: str, tmp_path: Path) -> None:
    """A code that was not seen, a code and a time that are none; exit code 2."""
    for code, at, line in (
        ("HK.00005", AT, "has no event of HK.00005 that was observed by 2026-05-08T00:00:04.500Z"),
        ("HK.00700", "2026-05-07", "has no event of HK.00700"),
        ("00700", AT, "HK.00700"),
        ("HK.00700", "noon", "'noon' is no time such as 2026-05-08 14:30"),
    ):
        ended = run_command("book", code, "--at", at, "--database", database_url, cwd=tmp_path)
        assert line in ended.complaint


def test_a_database_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    """And is not made."""
    ended = run_command("book", "HK.00700", "--at", AT, "--database", "none.db", cwd=tmp_path)
    assert ended.complaint == "database none.db: No such file or directory"
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_a_moment_is_one_clear_line(tmp_path: Path) -> None:
    """It would be passed over without a word: the latest list is Redis'."""
    ended = run_command("book", "HK.00700", "--database", "tape.db", cwd=tmp_path)
    assert "--database goes with --at" in ended.complaint


async def test_the_latest_list_is_that_of_redis(redis_server: RedisServer, tmp_path: Path) -> None:
    """As `top` shows it; null for programs while there is none."""
    async with redis.asyncio.Redis.from_url(redis_server.url) as client:
        writer = TapeWriter(client, await create_tape(client), TapeFactory())
        await writer.baseline()
        event = await writer.change(3)
    found = json.loads(run_command("book", "HK.00700", "--redis", redis_server.url, "--json", cwd=tmp_path).out)
    assert (found["seq"], found["hash"]) == (4, event.data.hash)
    assert found["rows"] == [asdict(row) for row in writer.rows]
    assert run_command("book", "HK.00005", "--redis", redis_server.url, "--json", cwd=tmp_path).out == "null\n"
    assert "no book yet" in run_command("book", "HK.00005", "--redis", redis_server.url, cwd=tmp_path).out
