"""The parts of the demo: our own commands as processes of the operating system."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from brokertape.cli.faults import DemoFailed
from brokertape.cli.redis_server import die_with_parent
from brokertape.cli.running import unless_stopped
from brokertape.cli.settings import ENV_PREFIX

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0
SHOWN_LOG_LINES = 5


@asynccontextmanager
async def running_part(command: str, *arguments: str, directory: Path) -> AsyncIterator["Part"]:
    """`brokertape <command> <arguments>` in a process of its own, killed at the end unless it was stopped.

    What it says goes to `<command>.log` in `directory`. It dies with us, however we end.
    """
    log_file = directory / f"{command}.log"
    with log_file.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "brokertape.cli", command, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            cwd=directory,  # where no settings file of the user's lies
            env={name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)},
            preexec_fn=die_with_parent,
        )
    try:
        yield Part(command, process, log_file)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


class Part:
    """A running command."""

    def __init__(self, command: str, process: asyncio.subprocess.Process, log_file: Path) -> None:
        self._command = command
        self._process = process
        self._log_file = log_file

    async def first_line(self) -> str:
        """The first line it prints.

        Raises:
            DemoFailed: It ended, or prints none.
        """
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                line = await self._process.stdout.readline()
        except TimeoutError as error:
            raise self._failure("does not come up") from error
        if not line:
            raise self._failure("did not come up")
        return line.decode().strip()

    async def watch(self) -> None:
        """Wait for its end, which is none of its own.

        Raises:
            DemoFailed: It came.
        """
        code = await self._process.wait()
        raise self._failure(f"ended with exit code {code}")

    async def finish(self, stop: asyncio.Event) -> None:
        """Wait until it has done its work, or `stop` is set.

        Raises:
            DemoFailed: It did not come to its end, or not with exit code 0.
        """
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                code = await unless_stopped(self._process.wait(), stop)
        except TimeoutError as error:
            raise self._failure("does not come to its end") from error
        if code != 0 and not stop.is_set():
            raise self._failure(f"ended with exit code {code}")

    async def stop(self) -> None:
        """End it as Ctrl-C does.

        Raises:
            DemoFailed: It does not end, or not with exit code 0.
        """
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                code = await self._process.wait()
        except TimeoutError as error:
            raise self._failure("does not end") from error
        if code != 0:
            raise self._failure(f"ended with exit code {code}")

    def _failure(self, what: str) -> DemoFailed:
        last_words = self._log_file.read_text(errors="replace").splitlines()[-SHOWN_LOG_LINES:]
        return DemoFailed(f"{self._command} {what}: {' | '.join(last_words) or 'it said nothing'}")
