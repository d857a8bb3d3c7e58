"""`brokertape` commands as processes of their own, run to their end or started, awaited and told to end.

They are forked, which spares each the import of other people's packages. With `program` a new interpreter is started,
or whatever it names.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from support.forking import Process, start_module

MODULE = "brokertape.cli"
COMMAND = (sys.executable, "-m", MODULE)
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 15.0
RUN_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and all it said."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line of a bad input; fails if there is any other."""
        assert (self.code, self.out) == (2, ""), self
        [line] = self.err.splitlines()
        assert line.startswith("brokertape: "), line
        return line.removeprefix("brokertape: ")


def run_command(
    *arguments: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    program: Sequence[str] = (),
) -> Ended:
    """Run a command to its end."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = _start(program, arguments, cwd, env, out, err)
        try:
            code = process.wait(RUN_TIMEOUT_S)
        finally:
            process.kill()
            process.wait()
        return Ended(code, _text(out), _text(err))


class Running:
    """A command that runs; what it prints and says goes to files."""

    def __init__(self, process: Process, out: Path, err: Path) -> None:
        self.process = process
        self._out = out
        self._err = err

    @property
    def out(self) -> str:
        """What it printed so far."""
        return self._out.read_text()

    @property
    def err(self) -> str:
        """What it said so far."""
        return self._err.read_text()

    def until(self, condition: Callable[["Running"], object], timeout_s: float = START_TIMEOUT_S) -> None:
        """Return once `condition` of it holds; fails if it ends before."""
        wait_until(lambda: condition(self) or self.process.poll() is not None, timeout_s)
        assert condition(self), (self.process.poll(), self.out, self.err)

    def interrupt(self) -> Ended:
        """Press Ctrl-C once; how it ended."""
        return self.signal(signal.SIGINT)

    def signal(self, number: signal.Signals) -> Ended:
        """Send it a signal; how it ended."""
        self.process.send_signal(number)
        return Ended(self.process.wait(STOP_TIMEOUT_S), self.out, self.err)


@contextmanager
def running(
    name: str,
    *arguments: str,
    directory: Path,
    env: Mapping[str, str] | None = None,
    program: Sequence[str] = (),
) -> Iterator[Running]:
    """A command in the background, called `name` in `directory`; killed at the end of the block."""
    out, err = directory / f"{name}.out", directory / f"{name}.err"
    with out.open("wb") as out_file, err.open("wb") as err_file:
        process = _start(program, arguments, directory, env, out_file, err_file)
    try:
        yield Running(process, out, err)
    finally:
        process.kill()
        process.wait()


def wait_until(condition: Callable[[], object], timeout_s: float = START_TIMEOUT_S) -> None:
    """Return once `condition` holds; fail loudly when it does not come to hold."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.02)


def _start(
    program: Sequence[str],
    arguments: Sequence[str],
    cwd: Path | None,
    env: Mapping[str, str] | None,
    out: IO[Any],
    err: IO[Any],
) -> Process:
    environment = _environment(env)
    is_for_an_interpreter = any(name.startswith("PYTHON") for name in env or ())  # which reads it when it starts
    if program or is_for_an_interpreter:
        command = [*(program or COMMAND), *arguments]
        return subprocess.Popen(command, cwd=cwd, env=environment, stdout=out, stderr=err)
    directory = cwd or Path.cwd()
    return start_module(MODULE, *arguments, cwd=directory, env=environment, out=out.fileno(), err=err.fileno())


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    """This process' own, without settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BROKERTAPE_")}
    return {**kept, **(more or {})}
