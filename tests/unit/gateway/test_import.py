"""What importing the gateway package does to a process: nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

import brokertape.gateway

IMPORTS = "from brokertape.gateway import GatewayClient, GatewaySettings; GatewayClient(GatewaySettings())"


def _run(program: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env={"HOME": str(home), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )


def test_ctrl_c_stays_the_programs_own(tmp_path: Path) -> None:
    """No signal handler is touched."""
    program = "import signal; before = [signal.getsignal(s) for s in (2, 15)]; " + IMPORTS
    _run(program + "; assert [signal.getsignal(s) for s in (2, 15)] == before", tmp_path)


def test_nothing_is_written(tmp_path: Path) -> None:
    """Neither under HOME nor to the terminal, and no log handler is set up."""
    done = _run(IMPORTS + "; import logging; assert not logging.getLogger('brokertape').handlers", tmp_path)
    assert (done.stdout, done.stderr) == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_no_thread_is_started(tmp_path: Path) -> None:
    """A process ends when its program does."""
    _run(IMPORTS + "; import threading; assert threading.active_count() == 1", tmp_path)


def test_errors_and_values_cost_no_heavy_import(tmp_path: Path) -> None:
    """protobuf and cryptography are loaded with the client, not before."""
    heavy = "'google.protobuf', 'cryptography', 'asyncio'"
    _run(
        f"import sys; from brokertape.gateway import Refused, TopTenBrokers; assert not {{{heavy}}} & set(sys.modules)",
        tmp_path,
    )


def test_the_front_door_names_what_it_has() -> None:
    """Every public name can be had, no other."""
    for name in brokertape.gateway.__all__:
        assert getattr(brokertape.gateway, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = brokertape.gateway.nothing
