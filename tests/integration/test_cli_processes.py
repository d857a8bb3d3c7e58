"""`simulate`, `publish`, `store` and `tail` as four processes, on a Redis with TLS and a password."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis.asyncio

from brokertape.cli.redis_server import RedisServer, ServerError
from support.certificates import write_certificates
from support.commands import COMMAND, Running, run_command, running, wait_until
from support.servers import FLAVOUR, IS_CI
from support.tape_factory import TapeFactory, create_tape, publish

# The subject is processes; what they ask of the server is asked where each command is tested.
pytestmark = [pytest.mark.server, pytest.mark.one_server]

PASSWORD = "s3cret-of-the-tape"
CODES = "HK.00700,HK.00005"
LONG_RUNNING = ("tail", "publish", "store", "simulate")


@dataclass(frozen=True)
class Four:
    """The four processes, and where their tape is."""

    simulate: Running
    publish: Running
    store: Running
    tail: Running
    redis_url: str
    directory: Path

    def stored(self) -> set[str]:
        """The ids of the events in the database."""
        with closing(sqlite3.connect(self.directory / "tape.db")) as connection:
            return {event_id for (event_id,) in connection.execute("select id from events")}

    def tailed(self) -> list[str]:
        """The ids of the events printed."""
        return [json.loads(line)["id"] for line in self.tail.out.splitlines()]


@pytest.fixture
def tls_url(short_dir: Path, redis_program: Path) -> Iterator[str]:
    """The URL of a server that speaks TLS only and wants a password; a build without TLS is a skip at a desk."""
    write_certificates(short_dir)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    files = {"cert": "server.crt", "key": "server.key", "ca-cert": "ca.crt"}
    tls = [part for name, file in files.items() for part in (f"--tls-{name}-file", str(short_dir / file))]
    arguments = [*tls, "--tls-port", str(port), "--tls-auth-clients", "no", "--requirepass", PASSWORD]
    server = RedisServer(short_dir / "r", program=redis_program, arguments=arguments)
    try:
        server.start()
    except ServerError:
        if IS_CI and FLAVOUR == "redis":
            raise
        pytest.skip(f"{redis_program} is built without TLS")
    yield f"rediss://:{PASSWORD}@127.0.0.1:{port}?ssl_ca_certs={short_dir / 'ca.crt'}"
    server.stop()


@pytest.fixture
def wheel_path(wheel: Path, tmp_path: Path) -> Path:
    """The built wheel, laid out; first on a process's path, it is what runs, not the source tree."""
    directory = tmp_path / "wheel"
    zipfile.ZipFile(wheel).extractall(directory)
    command = [sys.executable, "-c", "import brokertape.cli; print(brokertape.cli.__file__)"]
    found = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(directory)}, capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()).is_relative_to(directory)
    return directory


@pytest.fixture
def four(tls_url: str, wheel_path: Path, tmp_path: Path) -> Iterator[Four]:
    """All four, from the wheel, with the first events stored. The URL, with its password, is in the environment."""
    env = {"BROKERTAPE_REDIS_URL": tls_url, "PYTHONPATH": str(wheel_path)}
    with ExitStack() as stack:

        def start(command: str, *arguments: str) -> Running:
            return stack.enter_context(running(command, command, *arguments, directory=tmp_path, env=env))

        simulate = start("simulate", "--port", "0", "--start", "busy", "--codes", CODES)
        simulate.until(lambda it: it.out)
        publish = start("publish", "--gateway", simulate.out.strip(), "--codes", CODES)
        publish.until(lambda it: "publishing" in it.err)
        store = start("store", "--database", "tape.db")
        tail = start("tail", "--json", "--from-start")
        store.until(lambda it: "reads the tape" in it.err)
        yield Four(simulate, publish, store, tail, tls_url, tmp_path)


def test_events_pass_through_all_four_and_each_ends_cleanly(four: Four) -> None:
    """What is printed is what is stored; Ctrl-C ends each with exit code 0, within seconds, without a traceback."""
    four.tail.until(lambda _: len(four.tailed()) >= 6)
    wait_until(lambda: four.stored() >= set(four.tailed()[:6]))
    for name in LONG_RUNNING:
        if name == "store":  # nothing more comes: it may still be a little behind
            wait_until(lambda: four.stored() >= set(four.tailed()))
        before = time.monotonic()
        ended = getattr(four, name).interrupt()
        assert (name, ended.code) == (name, 0), ended
        assert time.monotonic() - before < 10
        assert "Traceback" not in ended.err
        assert PASSWORD not in ended.err + ended.out
    assert set(four.tailed()) <= four.stored()
    assert len(four.tailed()) == len(set(four.tailed()))
    assert run_command("status", "--redis", four.redis_url).code == 1  # nobody publishes any more


def test_sigterm_ends_as_ctrl_c_does(four: Four) -> None:
    """As systemd stops a service; to it, each says what it did in lines of JSON."""
    four.tail.until(lambda _: four.tailed())
    for name in LONG_RUNNING:
        ended = getattr(four, name).signal(signal.SIGTERM)
        assert (name, ended.code) == (name, 0), ended
        lines = [json.loads(line) for line in ended.err.splitlines()]
        assert all({"event", "level", "logger", "timestamp"} <= line.keys() for line in lines)
        assert name == "tail" or lines[-1]["event"] == "stopped"


def test_a_second_ctrl_c_ends_at_once(redis_server: RedisServer, tmp_path: Path) -> None:
    """The publisher would take seconds to say goodbye to a Redis that no longer answers."""
    arguments = ("--redis", redis_server.url, "--gateway", "127.0.0.1:1")
    with running("publish", "publish", *arguments, directory=tmp_path) as publish:
        with redis.Redis.from_url(redis_server.url) as client:
            wait_until(lambda: client.exists("brokertape:publishers"))
        os.kill(redis_server.pid, signal.SIGSTOP)
        before = time.monotonic()
        while publish.process.poll() is None and time.monotonic() < before + 4:
            publish.process.send_signal(signal.SIGINT)
            time.sleep(0.1)
        os.kill(redis_server.pid, signal.SIGCONT)
        assert publish.process.returncode == -signal.SIGINT
        assert "Traceback" not in publish.err


async def test_a_reader_that_has_enough_ends_tail_quietly(redis_server: RedisServer) -> None:
    """`brokertape tail | head -n 1`."""
    async with redis.asyncio.Redis.from_url(redis_server.url) as client:
        await publish(client, await create_tape(client), TapeFactory().day(changes=2000))
    reading, writing = os.pipe()
    tail = await asyncio.create_subprocess_exec(
        *(*COMMAND, "tail", "--from-start", "--redis", redis_server.url), stdout=writing, stderr=asyncio.subprocess.PIPE
    )
    os.close(writing)
    with os.fdopen(reading) as lines:
        assert "baseline" in lines.readline()
    _, err = await tail.communicate()
    assert (tail.returncode, err) == (0, b"")


def test_the_command_and_the_module_are_one(tmp_path: Path) -> None:
    """`brokertape` where it is installed, `python -m brokertape.cli` anywhere."""
    script = Path(sys.executable).with_name("brokertape")
    said = [
        subprocess.run([*command, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for command in ([script], COMMAND)
    ]
    assert said[0] == said[1]
    assert said[0].startswith("brokertape ")
