"""Fixtures all tests share."""

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import hypothesis
import pytest
import redis.asyncio

from brokertape.cli.redis_server import RedisServer
from brokertape.tape.connection import connect
from support import postgresql
from support.fake_redis import fake_redis
from support.postgresql import PostgresqlServer
from support.servers import server_program

# A busy machine is no failure; and the same examples every time, so that a red run can be run again. `.ci/run` asks
# for fewer on a second interpreter: what all of them show of our rules was shown on the first.
EXAMPLES = int(os.environ.get("BROKERTAPE_TEST_EXAMPLES", "60"))
hypothesis.settings.register_profile("brokertape", deadline=None, derandomize=True, max_examples=EXAMPLES)
hypothesis.settings.load_profile("brokertape")

# Whoever runs us in the background of a script has us ignore Ctrl-C, and what tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_itemcollected(item: pytest.Item) -> None:
    """A test that takes a server fixture is a `server` test, without having to say so."""
    if "redis_program" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.server)


@pytest.fixture(scope="session")
def redis_program() -> Path:
    """The server program under test."""
    return server_program()


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A directory with a path short enough for unix sockets."""
    path = Path(tempfile.mkdtemp(prefix="bt"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_redis_server(redis_program: Path) -> Iterator[RedisServer]:
    """One real server for the whole run; take `redis_server` for one that a test may kill."""
    path = Path(tempfile.mkdtemp(prefix="bt"))
    with RedisServer(path, program=redis_program) as server:
        yield server
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def redis_server(redis_program: Path, short_dir: Path) -> Iterator[RedisServer]:
    """A real server of this test's own, which it may stop, kill and start."""
    with RedisServer(short_dir / "r", program=redis_program) as server:
        yield server


@asynccontextmanager
async def _emptied(server: RedisServer) -> AsyncIterator[redis.asyncio.Redis]:
    """A client of `server`, emptied, without retries of its own."""
    client = connect(server.url, command_timeout_s=10)
    assert isinstance(client, redis.asyncio.Redis)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
async def real_redis(shared_redis_server: RedisServer) -> AsyncIterator[redis.asyncio.Redis]:
    """A client of an emptied real server."""
    async with _emptied(shared_redis_server) as client:
        yield client


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.server)])
async def any_redis(request: pytest.FixtureRequest) -> AsyncIterator[redis.asyncio.Redis]:
    """The same tests on fakeredis (quick) and on a real server (true)."""
    if request.param == "real":
        async with _emptied(request.getfixturevalue("shared_redis_server")) as client:
            yield client
        return
    client = fake_redis()
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
def postgresql_server_url() -> Iterator[str]:
    """Where databases can be made: on the server that is named, or on one for the whole run."""
    if postgresql.GIVEN:
        yield postgresql.GIVEN
        return
    path = Path(tempfile.mkdtemp(prefix="bt"))
    with PostgresqlServer(path, postgresql.programs()) as server:
        yield server.url
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def postgresql_server(short_dir: Path) -> Iterator[PostgresqlServer]:
    """A PostgreSQL of this test's own, which it may stop, crash and start."""
    with PostgresqlServer(short_dir, postgresql.programs()) as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql_server_url: str) -> Iterator[str]:
    """An empty PostgreSQL database of this test's own."""
    with postgresql.fresh_database(postgresql_server_url) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of this test's own, of each kind; as SQLite the file `t.db`."""
    return request.getfixturevalue("postgresql_url") if request.param == "postgresql" else str(tmp_path / "t.db")
