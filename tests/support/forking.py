"""Processes as `python -m MODULE` starts them, forked from an interpreter that has other people's packages imported.

These imports are most of what a command of ours does before its first line: a second of processor time, paid several
hundred times in a run. Of ours the interpreter that forks imports nothing (see `forking_server.py`): each process
imports brokertape itself, in its own order and directory and under its own environment, and ends as any process does.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

from support.forking_server import NUMBER

STDOUT, STDERR = 1, 2
TESTS = Path(__file__).parents[1]
CAN_FORK = sys.platform == "linux"  # where a process can be awaited as a file is

_PROGRAM = Path(__file__).with_name("forking_server.py")


class Forked:
    """A forked process: of `subprocess.Popen` what tests use."""

    def __init__(
        self, module: str, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], out: int, err: int
    ) -> None:
        self.returncode: int | None = None
        self._status, theirs = socket.socketpair()
        request = {"module": module, "arguments": arguments, "cwd": str(cwd), "env": dict(env)}
        files = [out, err, theirs.fileno()]
        with theirs:
            socket.send_fds(_server().control, [json.dumps(request).encode()], files)
        self.pid = self._read()

    def poll(self) -> int | None:
        """Its exit code, or none while it runs."""
        return self._ended_within(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended."""
        code = self._ended_within(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended since
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it, whatever it does."""
        self.send_signal(signal.SIGKILL)

    def _ended_within(self, timeout_s: float | None) -> int | None:
        if self.returncode is None and self._can_read(timeout_s):
            self.returncode = self._read()
            self._status.close()
        return self.returncode

    def _can_read(self, timeout_s: float | None) -> bool:
        poll = select.poll()
        poll.register(self._status, select.POLLIN)
        return bool(poll.poll(None if timeout_s is None else 1000 * timeout_s))

    def _read(self) -> int:
        number = self._status.recv(NUMBER.size, socket.MSG_WAITALL)
        assert number, "the interpreter that forks is gone"
        return int(NUMBER.unpack(number)[0])


Process: TypeAlias = "subprocess.Popen[bytes] | Forked"


def start_module(
    module: str,
    *arguments: str,
    cwd: Path = TESTS,
    env: Mapping[str, str] | None = None,
    out: int = STDOUT,
    err: int = STDERR,
) -> Process:
    """`python -m MODULE ARGUMENTS`; in the directory of the tests it finds modules of `support`."""
    environment = os.environ if env is None else env
    if CAN_FORK:
        return Forked(module, arguments, cwd=cwd, env=environment, out=out, err=err)
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(command, cwd=cwd, env=environment, stdout=out, stderr=err)


@dataclass(frozen=True)
class _Server:
    """The interpreter that forks, and the way to it."""

    process: "subprocess.Popen[bytes]"
    control: socket.socket


@cache
def _server() -> _Server:
    """The one of this process. When we end, however we do, it ends, and with it all that it forked."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        # -P: the modules beside the program are not to be found under bare names.
        command = [sys.executable, "-P", str(_PROGRAM), str(theirs.fileno())]
        process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
    return _Server(process, ours)
