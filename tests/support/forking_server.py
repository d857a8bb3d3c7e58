"""The interpreter that forks: it imports other people's packages, then becomes one process for each request.

    python -P forking_server.py FD

FD is a socket of whole messages. Each is a module, its arguments, directory and environment as JSON, with three file
descriptors: standard output, standard error, and a socket that is told the process' number and later its exit code.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
from contextlib import suppress
from typing import Any

# What our commands import of others. Without pyarrow, which starts a thread when it is imported: a fork would lose it.
PACKAGES = (
    "aiosqlite",
    "cel_expr_python",
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "google.protobuf.message",
    "httpx2",
    "msgspec",
    "orjson",
    "prometheus_client",
    "psycopg",
    "pydantic",
    "pydantic_settings",
    "redis.asyncio",
    "rich.live",
    "rich.progress",
    "rich.table",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "sqlalchemy.ext.asyncio",
    "structlog",
    "typer",
)
NUMBER = struct.Struct("=i")
_MOST_BYTES = 1 << 18


class Server:
    """Forks, and tells how what it forked has ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._running: dict[int, tuple[int, socket.socket]] = {}  # by pidfd: the process, and who wants to know

    def serve(self) -> dict[str, Any] | None:
        """In the server nothing, when nobody is there to ask any more; in a forked process what it is to become."""
        control_fd = self._control.fileno()
        while True:
            readable, _, _ = select.select([control_fd, *self._running], [], [])
            for pidfd in {*readable} - {control_fd}:
                self._bury(pidfd)
            if control_fd not in readable:
                continue
            message, files, *_ = socket.recv_fds(self._control, _MOST_BYTES, 3)
            if not message:
                self._end()
                return None
            if self._fork(*files):
                return dict(json.loads(message))

    def _fork(self, out: int, err: int, status_fd: int) -> bool:
        """Whether we are the forked process."""
        status = socket.socket(fileno=status_fd)
        pid = os.fork()
        if pid == 0:
            self._become_a_child(out, err)
            status.close()
            return True
        os.close(out)
        os.close(err)
        _tell(status, pid)
        self._running[os.pidfd_open(pid)] = pid, status
        return False

    def _become_a_child(self, out: int, err: int) -> None:
        for number, file in ((1, out), (2, err)):
            os.dup2(file, number)
            os.close(file)
        for pidfd, (_, status) in self._running.items():
            os.close(pidfd)
            status.close()
        self._control.close()

    def _bury(self, pidfd: int) -> None:
        """Tell of an end before the process' number is free again, so that nobody signals another one's process."""
        pid, status = self._running.pop(pidfd)
        end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert end is not None
        _tell(status, end.si_status if end.si_code == os.CLD_EXITED else -end.si_status)
        status.close()
        os.waitpid(pid, 0)
        os.close(pidfd)

    def _end(self) -> None:
        for pid, _ in self._running.values():
            os.kill(pid, signal.SIGKILL)


def _tell(status: socket.socket, number: int) -> None:
    with suppress(OSError):  # nobody wants to know any more
        status.sendall(NUMBER.pack(number))


def become(module: str, arguments: list[str], cwd: str, env: dict[str, str]) -> None:
    """Be `python -m MODULE ARGUMENTS`, started in that directory with that environment."""
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.path.insert(0, cwd)
    sys.argv = [module, *arguments]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def main() -> None:
    """Import, then serve."""
    for package in PACKAGES:
        importlib.import_module(package)
    assert len(os.listdir("/proc/self/task")) == 1, "an import has started a thread"
    assert "brokertape" not in sys.modules
    gc.freeze()  # else every process, as it ends, visits all these objects and so copies their memory
    # Ctrl-C at a terminal is for the tests. Blocked, not ignored: a forked process hears it once it can answer.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    request = Server(socket.socket(fileno=int(sys.argv[1]))).serve()
    if request is not None:
        become(**request)


if __name__ == "__main__":
    main()
