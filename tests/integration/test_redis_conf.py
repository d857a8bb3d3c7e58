"""deploy/redis.conf on real servers of both kinds: what it says takes effect and keeps the contract's promise."""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from brokertape.subscriber import subscribe
from brokertape.tape.connection import connect
from support.certificates import write_certificates
from support.servers import server_program
from support.source_tree import PROJECT
from support.subscriptions import listening
from support.tape_factory import TapeFactory, create_tape
from support.tape_writer import TapeWriter

CONF = PROJECT / "deploy" / "redis.conf"
START_TIMEOUT_S = 15.0
NO_RETRY = Retry(NoBackoff(), 0)  # redis-py would try a refused password ten times

# The settings that contract.md's promises rest on, as CONFIG GET prints them.
PROMISED = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "aof-load-truncated": "yes",
    "save": "",
    "maxmemory-policy": "noeviction",
    "stream-node-max-bytes": "16384",
    "bind": "127.0.0.1 -::1",
    "protected-mode": "yes",
    "tcp-keepalive": "60",
    "timeout": "0",
}

pytestmark = pytest.mark.server


@pytest.fixture(params=["redis", "valkey"])
def program(request: pytest.FixtureRequest) -> Path:
    """Each kind of server in turn."""
    return server_program(request.param)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory with a path short enough for unix sockets."""
    path = Path(tempfile.mkdtemp(prefix="bt"))
    yield path
    shutil.rmtree(path)


class Server:
    """A server process on `conf`, where only the directory, the port and the socket are the test's own."""

    def __init__(self, program: Path, directory: Path, *arguments: str, conf: Path = CONF) -> None:
        self.socket = directory / "s"
        own = ("--port", "0", "--unixsocket", str(self.socket), "--dir", str(directory))
        self.process = subprocess.Popen([str(program), str(conf), *own, *arguments], stdout=subprocess.DEVNULL)

    def client(self, username: str | None = None, password: str | None = None) -> redis.Redis:
        """A client of the server once it answers."""
        client = redis.Redis(
            unix_socket_path=str(self.socket),
            username=username,
            password=password,
            decode_responses=True,
            retry=NO_RETRY,
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _answers(client):
            assert self.process.poll() is None, "the server refused its configuration"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.01)
        return client


def _answers(client: redis.Redis) -> bool:
    """Whether the server answers by now, not listening and still loading being no answers."""
    try:
        return bool(client.ping())
    except redis.AuthenticationError:
        raise
    except (redis.ConnectionError, redis.BusyLoadingError):
        return False


@contextmanager
def running(program: Path, directory: Path, *arguments: str, conf: Path = CONF) -> Iterator[Server]:
    """A `Server`, killed at the end if the test has not done so."""
    server = Server(program, directory, *arguments, conf=conf)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def settings_of(conf: str) -> set[str]:
    """The names of the settings that are in force in a configuration file."""
    return set(re.findall(r"^([a-z-]+) ", conf, re.MULTILINE))


def test_every_setting_takes_effect(program: Path, directory: Path) -> None:
    """The server runs with what the file says, and the file says nothing that no test looks at."""
    with running(program, directory) as server, server.client() as client:
        assert {name: client.config_get(name)[name] for name in PROMISED} == PROMISED
    assert settings_of(CONF.read_text()) == PROMISED.keys() | {"port"}


def test_acknowledged_commits_survive_a_kill(program: Path, directory: Path) -> None:
    """What the server acknowledged before kill -9 is there after the next start."""
    with running(program, directory) as server, server.client() as client:
        ids = [client.xadd("brokertape:{0}:tape", {"n": n}) for n in range(500)]
        server.process.kill()
    with running(program, directory) as server, server.client() as client:
        assert [entry_id for entry_id, _ in client.xrange("brokertape:{0}:tape")] == ids
        assert not list(directory.glob("**/dump.rdb"))


def test_a_full_server_refuses_and_forgets_nothing(program: Path, directory: Path) -> None:
    """At the memory limit a write is an error; every entry acknowledged before it stays."""
    with running(program, directory, "--maxmemory", "4mb") as server, server.client() as client:
        acknowledged = writes_until_refused(client)
        assert client.xlen("brokertape:{0}:tape") == acknowledged > 0


def writes_until_refused(client: redis.Redis) -> int:
    """How many entries the server acknowledges before it has no memory left."""
    for acknowledged in range(10_000):
        try:
            client.xadd("brokertape:{0}:tape", {"payload": "x" * 2500})
        except redis.OutOfMemoryError:
            return acknowledged
    raise AssertionError("the server took more than its memory holds")


def conf_for_other_hosts(directory: Path, *settings: str) -> Path:
    """redis.conf with those `settings` of its last section uncommented and filled in as it tells people to."""
    text = CONF.read_text()
    for setting in settings:
        text = re.sub(rf"^# (?={setting})", "", text, flags=re.MULTILINE)
    text = text.replace("/etc/redis/tls", str(directory)).replace(">PASSWORD", ">p1").replace(">ANOTHER", ">p2")
    conf = directory / "redis.conf"
    conf.write_text(text)
    return conf


def test_the_publishers_user_can_do_its_work_and_no_harm(program: Path, directory: Path) -> None:
    """Streams, groups, scripts that ask INFO and TIME: yes. Other keys, the server itself: no."""
    with running(program, directory, conf=conf_for_other_hosts(directory, "user ")) as server:
        with pytest.raises(redis.AuthenticationError):
            server.client()
        with server.client(username="brokertape", password="p1") as client:
            script = "redis.call('TIME') redis.call('INFO', 'server') return redis.call('XADD', KEYS[1], '*', 'a', 'b')"
            client.evalsha(client.script_load(script), 1, "brokertape:{0}:tape")
            client.xgroup_create("brokertape:{0}:tape", "store", "0")
            assert client.xreadgroup("store", "w", {"brokertape:{0}:tape": ">"})
            client.zadd("brokertape:publishers", {"account|name": 1})
            for refused in (("FLUSHALL",), ("CONFIG", "SET", "save", ""), ("KEYS", "*"), ("SET", "other", "1")):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    client.execute_command(*refused)


def test_the_readers_user_writes_nothing_but_its_interest(program: Path, directory: Path) -> None:
    """It follows the tape and says which codes it wants; it cannot put anything on the tape."""
    with (
        running(program, directory, conf=conf_for_other_hosts(directory, "user ")) as server,
        server.client(username="reader", password="p2") as client,
    ):
        assert not client.xread({"brokertape:{0}:tape": "0"})
        assert client.hgetall("brokertape:{0}:book:HK.00700") == {}
        client.zadd("brokertape:interest", {"HK.00700|me": 1})
        client.hset("brokertape:interest:want", "HK.00700|me", "{}")
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.xadd("brokertape:{0}:tape", {"a": "b"})


async def test_a_subscriber_needs_no_more_rights_than_the_readers(program: Path, directory: Path) -> None:
    """It joins, follows, and asks for its codes."""
    with running(program, directory, conf=conf_for_other_hosts(directory, "user ")) as server:
        server.client(username="brokertape", password="p1").close()  # it answers
        async with connect(f"unix://brokertape:p1@{server.socket}") as client:
            keys = await create_tape(client)
            writer = TapeWriter(client, keys, TapeFactory())
            await writer.baseline()
            async with listening(subscribe(f"unix://reader:p2@{server.socket}", "HK.00700")) as listener:
                await listener.told("state")
                await writer.change()
                await listener.told("state", "change")
                assert await client.zcard(keys.interest) == 1
            assert await client.zcard(keys.interest) == 0


@pytest.mark.parametrize("program", ["redis"], indirect=True)
def test_other_hosts_come_in_by_tls_only(program: Path, directory: Path, unused_tcp_port: int) -> None:
    """With the whole section filled in, the one open port speaks TLS and asks for the password."""
    write_certificates(directory)
    conf = conf_for_other_hosts(directory, "bind ", "port ", "tls-", "user ")
    with running(program, directory, "--bind", "127.0.0.1", "--tls-port", str(unused_tcp_port), conf=conf) as server:
        server.client(username="brokertape", password="p1").close()
        ca, address = str(directory / "ca.crt"), f"localhost:{unused_tcp_port}"
        assert pings(f"rediss://brokertape:p1@{address}", ssl_ca_certs=ca)
        with pytest.raises(redis.AuthenticationError):
            pings(f"rediss://{address}", ssl_ca_certs=ca)
        with pytest.raises(redis.ConnectionError):
            pings(f"redis://{address}")


def pings(url: str, **settings: str) -> bool:
    """Whether the server at `url` lets a client in."""
    with redis.Redis.from_url(url, retry=NO_RETRY, **settings) as client:
        return bool(client.ping())
