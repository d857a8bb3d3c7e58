"""What systemd hears of a service."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LIMIT_US = 300_000


@pytest.fixture
def systemd(short_dir: Path) -> Iterator[socket.socket]:
    """Its end of the notify socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(short_dir / "notify"))
        listening.settimeout(30)
        yield listening


def test_it_is_told_the_start_the_beats_and_the_end(systemd: socket.socket) -> None:
    """In that order, from a real command."""
    env = {**os.environ, "NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": str(LIMIT_US)}
    command = [sys.executable, "-m", "brokertape.cli", "simulate", "--port", "0"]
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) as process:
        assert systemd.recv(100) == b"READY=1"
        assert [systemd.recv(100) for _ in range(5)] == [b"WATCHDOG=1"] * 5
        process.send_signal(signal.SIGTERM)
        while (heard := systemd.recv(100)) == b"WATCHDOG=1":
            pass
        assert heard == b"STOPPING=1"
        assert process.wait(20) == 0


def test_a_loop_that_hangs_is_not_said_to_go_round(systemd: socket.socket) -> None:
    """Frozen, it falls silent: that is what systemd restarts it for."""
    env = {**os.environ, "NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": str(LIMIT_US)}
    code = (
        "import asyncio, time\n"
        "from brokertape.cli.running import run\n"
        "async def hang(stop):\n"
        "    await asyncio.sleep(0.2)\n"
        "    time.sleep(60)\n"
        "run(hang)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], env=env) as process:
        assert systemd.recv(100) == b"READY=1"
        assert systemd.recv(100) == b"WATCHDOG=1"
        assert falls_silent(systemd)
        process.kill()


def falls_silent(systemd: socket.socket) -> bool:
    """Whether nothing is heard for three times the limit, after what was on its way."""
    systemd.settimeout(LIMIT_US / 1e6 * 3)
    for _ in range(5):
        try:
            systemd.recv(100)
        except TimeoutError:
            return True
    return False
