"""A master, its replica and three Sentinels that watch them, formed and known to be redundant."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from brokertape.cli.redis_server import RedisServer, die_with_parent
from support.cluster import free_ports

SERVICE = "tape"
FORMING_TIMEOUT_S = 40.0
FAILOVER_TIMEOUT_S = 30.0
_CONFIGURATION = """
port {port}
bind 127.0.0.1
dir {directory}
sentinel monitor {service} 127.0.0.1 {master_port} 2
sentinel down-after-milliseconds {service} 3000
sentinel failover-timeout {service} 3000
"""


class Sentinel:
    """One Sentinel process. The configuration is its own to rewrite."""

    def __init__(self, directory: Path, program: Path, port: int, master_port: int, password: str | None) -> None:
        self.port = port
        self.password = password
        directory.mkdir()
        configuration = directory / "sentinel.conf"
        text = _CONFIGURATION.format(port=port, directory=directory, master_port=master_port, service=SERVICE)
        own = f"requirepass {password}\nsentinel sentinel-pass {password}\n" if password else ""
        configuration.write_text(text + own)
        with (directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(program), str(configuration), "--sentinel"],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,
            )

    def pause(self) -> None:
        """Stand still: connections are taken, nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def ask(self, *command: str) -> Any:
        """The answer to a command; None while it does not answer."""
        return _ask(redis.Redis(port=self.port, password=self.password, socket_timeout=1.0, protocol=2), *command)

    def named_port(self) -> int | None:
        """Port of what it takes for the master."""
        address = self.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return None if address is None else int(address[1])


@dataclass
class SentinelTrio:
    """Three Sentinels before two servers. `url` is what clients connect to; servers may be killed and started."""

    servers: dict[int, RedisServer]
    sentinels: list[Sentinel]

    @property
    def url(self) -> str:
        """The tape, by its Sentinels."""
        return f"redis+sentinel://{self.hosts}/{SERVICE}"

    @property
    def hosts(self) -> str:
        """The Sentinels as a URL lists them."""
        return ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)

    def master(self) -> RedisServer | None:
        """The server that says it is master, and that every Sentinel that answers names so; None while they differ."""
        named = {sentinel.named_port() for sentinel in self.sentinels} - {None}
        if len(named) != 1 or (port := named.pop()) is None:
            return None
        role = _role(self.servers[port])
        return self.servers[port] if role is not None and role[0] == b"master" else None

    def kill_master(self) -> RedisServer:
        """kill -9 the master. Returns it, to be started again perhaps."""
        server = self.known_master()
        server.kill()
        return server

    def known_master(self, *, after: RedisServer | None = None) -> RedisServer:
        """The master, another one than `after`, once all that answer agree on it: on a busy machine one may be slow."""
        deadline = time.monotonic() + FAILOVER_TIMEOUT_S
        while (server := self.master()) in (None, after):
            _give_up_after(deadline, FAILOVER_TIMEOUT_S)
        assert server is not None
        return server

    def wait_for_failover(self, old: RedisServer) -> RedisServer:
        """Until another server than `old` is master. Returns it."""
        return self.known_master(after=old)

    def wait_until_redundant(self) -> None:
        """Until the replica has caught up, and every Sentinel knows it and the other two."""
        _wait(self._is_redundant, FORMING_TIMEOUT_S)

    def _is_redundant(self) -> bool:
        master = self.master()
        role = None if master is None else _role(master)
        if role is None or len(role[2]) != 1:
            return False
        answers = [sentinel.ask("SENTINEL", "MASTER", SERVICE) or [] for sentinel in self.sentinels]
        views = [dict(zip(answer[::2], answer[1::2], strict=True)) for answer in answers]
        seen = [(view.get(b"num-slaves"), view.get(b"num-other-sentinels"), view.get(b"flags")) for view in views]
        return all(one == (b"1", b"2", b"master") for one in seen)


@contextlib.contextmanager
def sentinel_trio(directory: Path, program: Path, *, password: str | None = None) -> Iterator[SentinelTrio]:
    """A trio, redundant already; with `password`, the Sentinels (not the servers) ask for it."""
    ports = free_ports(5)
    with ExitStack() as stack:
        servers = {
            port: stack.enter_context(
                RedisServer(directory / f"r{port}", program=program, port=port, arguments=_arguments(ports[0], port))
            )
            for port in ports[:2]
        }
        trio = SentinelTrio(servers, [])
        for port in ports[2:]:
            trio.sentinels.append(Sentinel(directory / f"s{port}", program, port, ports[0], password))
            stack.callback(trio.sentinels[-1].kill)
        trio.wait_until_redundant()
        yield trio


def _arguments(master_port: int, port: int) -> list[str]:
    replica = [] if port == master_port else ["--replicaof", "127.0.0.1", str(master_port)]
    return ["--repl-diskless-sync-delay", "0", *replica]  # by default the first sync waits for five seconds


def _role(server: RedisServer) -> Any:
    return _ask(redis.Redis(unix_socket_path=str(server.socket), socket_timeout=1.0, protocol=2), "ROLE")


def _ask(client: Any, *command: str) -> Any:
    """The answer as it is on the wire: these commands have no shape of their own in redis-py."""
    with contextlib.closing(client), contextlib.suppress(redis.RedisError):
        return client.execute_command(*command)
    return None


def _wait(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        _give_up_after(deadline, timeout_s)


def _give_up_after(deadline: float, timeout_s: float) -> None:
    """Pause before the next look; fail loudly when there has been time enough."""
    if time.monotonic() > deadline:
        raise TimeoutError(f"not within {timeout_s:.0f} s")
    time.sleep(0.05)
