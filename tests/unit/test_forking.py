"""Forked processes: in all that tests look at as if an interpreter had been started for each."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.commands import COMMAND, run_command, wait_until
from support.forking import CAN_FORK, Forked
from support.source_tree import PROJECT

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="Linux only")

# What an interpreter can see of how it was started.
PROBE = """
import json, os, signal, sys
mask, on_interrupt = signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.getsignal(signal.SIGINT)
names = [name for name in sys.modules if name.partition(".")[0] == "brokertape"]
shown = sys.argv, os.getcwd(), dict(os.environ), sys.path, __name__, __package__, [*mask], str(on_interrupt), names
print(json.dumps(shown, sort_keys=True))
print(sorted(os.listdir("/proc/self/fd")), sys.stdout.encoding, sys.stdout.line_buffering, sys.stderr.errors)
sys.stderr.write("said")
sys.exit(7)
"""


def forked(directory: Path, *arguments: str, module: str = "probe") -> tuple[Forked, Path, Path]:
    """A process of a module, and the files of its output."""
    out, err = directory / "out", directory / "err"
    with out.open("wb") as out_file, err.open("wb") as err_file:
        env = {**os.environ, "ITS": "own"}
        files = {"out": out_file.fileno(), "err": err_file.fileno()}
        return Forked(module, arguments, cwd=directory, env=env, **files), out, err


def test_a_process_sees_what_a_new_interpreter_sees(tmp_path: Path) -> None:
    """Arguments, directory, environment, path, name, signals, open files; and nothing of ours is loaded."""
    (tmp_path / "probe.py").write_text(PROBE)
    process, out, err = forked(tmp_path, "a", "b")
    command = [sys.executable, "-m", "probe", "a", "b"]
    env = {**os.environ, "ITS": "own"}
    new = subprocess.run(
        command, cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert (process.wait(30), out.read_text(), err.read_text()) == (7, new.stdout, "said")
    assert (new.returncode, new.stderr) == (7, "said")


@pytest.mark.parametrize("arguments", [["--version"], ["export", "--help"], ["publish", "--limit", "x"], ["nothing"]])
def test_a_command_says_what_it_says_in_a_new_interpreter(arguments: list[str], tmp_path: Path) -> None:
    """On standard output, on standard error and by its exit code."""
    ended = run_command(*arguments, cwd=tmp_path)
    assert ended == run_command(*arguments, cwd=tmp_path, program=COMMAND)
    assert ended.out or ended.err


def test_a_process_can_be_signalled_and_awaited(tmp_path: Path) -> None:
    """Its exit code is the signal's, as `subprocess` tells it; a second signal harms nobody."""
    (tmp_path / "probe.py").write_text("print(1, flush=True)\nimport time\ntime.sleep(60)")
    process, out, err = forked(tmp_path)
    wait_until(out.read_text)
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == process.poll() == process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in err.read_text()
    process.kill()


def test_what_was_forked_ends_with_the_one_who_asked(tmp_path: Path) -> None:
    """However that one ends: nothing is left running."""
    program = f"""
import os, sys
from pathlib import Path
sys.path.insert(0, {str(PROJECT / "tests")!r})
from support.forking import Forked
Path("probe.py").write_text("import time; time.sleep(60)")
print(Forked("probe", [], cwd=Path.cwd(), env=os.environ, out=1, err=2).pid, flush=True)
os._exit(0)
"""
    said = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    pid = int(said.stdout)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), timeout_s=30)
