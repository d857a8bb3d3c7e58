"""PostgreSQL: what is said when it cannot be used, and what is left when it comes back."""

import asyncio
import re
import time
from collections.abc import Sequence

import pytest

from brokertape.tape.events import TapeEvent
from brokertape.workers.errors import WorkerError
from brokertape.workers.storage.database import open_database, open_readonly
from brokertape.workers.storage.errors import (
    CannotOpen,
    DatabaseBroken,
    DatabaseUnavailable,
    NotOurDatabase,
    UnsupportedDatabase,
)
from brokertape.workers.storage.storage import Storage
from support.postgresql import PASSWORD, PostgresqlServer, administer, database_url, fresh_database
from support.storages import deliveries
from support.tape_database import assert_holds
from support.tape_factory import TapeFactory

OPEN_TIMEOUT = "brokertape.workers.storage.database.OPEN_TIMEOUT_S"


async def failure(url: str) -> WorkerError:
    """How opening `url` ends; never with a password or on two lines."""
    with pytest.raises((DatabaseBroken, DatabaseUnavailable)) as raised:
        async with open_database(url):
            pass
    line = str(raised.value)
    assert PASSWORD not in line
    assert "\n" not in line
    return raised.value


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@host/tape?nonsense=1",
        "postgresql://me:s3cret@host:port/tape",
        "postgresql://me:100%s3cret@host/tape",
        "postgresql://me:12/s3cret@host/tape",
        "postgresql://me:x@s3cret@host/tape",
        "postgres://me:x/?s3cret@host/tape",
    ],
)
async def test_a_url_that_cannot_be_meant_is_one_clear_line(url: str) -> None:
    """It says how to write one, and nothing that may be a part of the password."""
    error = await failure(url)
    assert isinstance(error, UnsupportedDatabase)
    assert "use postgresql://USER:PASSWORD@HOST:PORT/DATABASE, special characters" in str(error)


@pytest.mark.parametrize(
    ("user", "password", "database", "line"),
    [
        ("brokertape", "wrong", "postgres", 'password authentication failed for user "brokertape"'),
        ("nobody", PASSWORD, "postgres", 'password authentication failed for user "nobody"'),
        ("brokertape", PASSWORD, "nowhere", 'database "nowhere" does not exist'),
        ("brokertape", PASSWORD, "postgres?sslmode=require", "server does not support SSL, but SSL was required"),
    ],
)
async def test_a_refused_login_is_said_at_once(
    postgresql_server: PostgresqlServer, user: str, password: str, database: str, line: str
) -> None:
    """It is no outage: waiting for it to pass would hide it."""
    began = time.monotonic()
    error = await failure(database_url(postgresql_server.url, database, user=user, password=password))
    assert isinstance(error, CannotOpen)
    name = database.partition("?")[0]
    assert re.fullmatch(rf"database {name} at 127\.0\.0\.1:\d+: .*{re.escape(line)}", str(error))
    assert time.monotonic() - began < 3


async def test_missing_rights_are_one_clear_line(postgresql_server: PostgresqlServer) -> None:
    """To make tables, for who writes; to read them, for who reads."""
    administer(postgresql_server.url, "create role guest login password 'guest'")
    with fresh_database(postgresql_server.url) as url:
        administer(url, "revoke create on schema public from public")
        guest = database_url(postgresql_server.url, url.rpartition("/")[2], user="guest", password="guest")
        error = await failure(guest)
        assert isinstance(error, CannotOpen)
        assert str(error).endswith("permission denied for schema public")
        async with open_database(url):
            pass
        with pytest.raises(CannotOpen, match="permission denied for table schema_version"):
            async with open_readonly(guest):
                pass


async def test_a_database_of_another_encoding_is_refused(postgresql_server_url: str) -> None:
    """Names are Chinese: every event would end among the dead letters."""
    with fresh_database(postgresql_server_url, "encoding 'LATIN1' locale 'C'") as url:
        error = await failure(url)
    assert isinstance(error, NotOurDatabase)
    assert str(error).endswith("has the encoding LATIN1: make one with UTF8")


async def test_without_a_schema_there_is_nowhere_to_store(postgresql_url: str) -> None:
    """The search path names none that is there."""
    error = await failure(f"{postgresql_url}?options=-csearch_path%3Dnowhere")
    assert isinstance(error, CannotOpen)
    assert "has no schema to put tables in" in str(error)


async def test_tables_go_into_the_schema_of_the_search_path(postgresql_url: str) -> None:
    """Beside those of somebody else in another schema."""
    administer(postgresql_url, "create table accounts (id int)")
    administer(postgresql_url, "create schema tape")
    url = f"{postgresql_url}?options=-csearch_path%3Dtape"
    async with open_database(url) as database:
        await Storage(database).handle(deliveries(TapeFactory().day(2)))
    administer(postgresql_url, "select count(*) from tape.events")


async def test_a_server_that_is_away_is_waited_for_and_then_said(
    postgresql_server: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the start for a while; the line says where it was looked for."""
    monkeypatch.setattr(OPEN_TIMEOUT, 0.2)
    postgresql_server.stop()
    error = await failure(postgresql_server.url)
    assert isinstance(error, DatabaseUnavailable)
    assert "Connection refused" in str(error)


@pytest.mark.parametrize("end", [PostgresqlServer.stop, PostgresqlServer.crash])
async def test_a_server_that_comes_back_is_written_on(postgresql_server: PostgresqlServer, end: object) -> None:
    """Between batches it goes unnoticed; while it is away a batch fails as a whole and may be tried again."""
    assert callable(end)
    factory = TapeFactory()
    events = factory.day(30)
    async with open_database(postgresql_server.url) as database:
        storage = Storage(database)
        await storage.handle(deliveries(events[:10]))
        end(postgresql_server)
        with pytest.raises(DatabaseUnavailable, match=r"^database postgres at 127\.0\.0\.1:\d+: "):
            await storage.handle(deliveries(events[10:20]))
        postgresql_server.start()
        await storage.handle(deliveries(events[5:20]))
        end(postgresql_server)
        postgresql_server.start()
        await storage.handle(deliveries(events[20:]))
    assert_holds(postgresql_server.url, events, [factory])
    assert storage.counts.events == len(events)


async def test_a_restart_under_load_loses_and_doubles_nothing(postgresql_server: PostgresqlServer) -> None:
    """Crashes whatever is being done; each batch is repeated until it went through, as a worker does."""
    factories = [TapeFactory(f"HK.{number:05}") for number in range(1, 5)]
    events = [event for factory in factories for event in factory.day(150)]
    async with open_database(postgresql_server.url) as database:
        storage = Storage(database)
        storing = asyncio.create_task(_store_all(storage, [events[at : at + 10] for at in range(0, len(events), 10)]))
        for crash in range(3):
            while storage.counts.events < 150 * (crash + 1):
                await asyncio.sleep(0.001)
            postgresql_server.crash()
            await asyncio.to_thread(postgresql_server.start)  # so that storing goes on while nobody answers
        failures = await storing
    assert failures >= 3
    assert_holds(postgresql_server.url, events, factories)


async def _store_all(storage: Storage, batches: Sequence[Sequence[TapeEvent]]) -> int:
    failures = 0
    for batch in batches:
        while True:
            try:
                await storage.handle(deliveries(batch))
                break
            except DatabaseUnavailable:
                failures += 1
                await asyncio.sleep(0.01)
    return failures
