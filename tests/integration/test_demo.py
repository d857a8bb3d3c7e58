"""`brokertape demo`, as a user runs it."""

import os
import re
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from support.commands import run_command, running, wait_until

pytestmark = [pytest.mark.server, pytest.mark.one_server]  # the demo starts a server of its own choice

VERDICT = (
    r"(\d+) polls of (\d+) codes gave (\d+) different tables; "
    r"(\d+) events are stored, (\d+) of them changes, and 6 past days"
)


def test_a_demo_ends_by_itself_and_has_lost_nothing(tmp_path: Path) -> None:
    """Twenty seconds of it: everything that was sent is stored, and what was kept can be looked at."""
    ended = run_command("demo", "--seconds", "20", "--keep", "kept", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, ""), ended.out
    assert "nothing is missing, doubled or altered" in ended.out
    found = re.search(VERDICT, ended.out)
    assert found is not None
    polls, codes, tables, events, changes = map(int, found.groups())
    assert codes == 12
    assert polls >= tables == events == changes + codes
    with closing(sqlite3.connect(tmp_path / "kept" / "tape.db")) as connection:
        assert connection.execute("select count(*) from events").fetchone() == (events,)
    assert {path.name for path in (tmp_path / "kept").iterdir()} >= {"answers.jsonl", "publish.log", "redis"}


def test_ctrl_c_ends_it_with_the_same_check(short_dir: Path) -> None:
    """In order, and leaving nothing behind: no process, no file."""
    env = {"TMPDIR": str(short_dir)}
    before = set(short_dir.iterdir())
    with running("demo", "demo", directory=short_dir, env=env) as demo:
        demo.until(lambda it: "baseline" in it.out)
        ended = demo.interrupt()
    assert (ended.code, ended.err) == (0, ""), ended.out
    assert re.search(VERDICT, ended.out)
    assert {path.name for path in set(short_dir.iterdir()) - before} == {"demo.out", "demo.err"}


def test_ctrl_c_while_it_starts_ends_it_too(short_dir: Path) -> None:
    """Before anything was published there is nothing to check, and nothing wrong."""
    with running("demo", "demo", directory=short_dir, env={"TMPDIR": str(short_dir)}) as demo:
        wait_until(lambda: list(short_dir.glob("brokertape-*/redis/s")))
        ended = demo.interrupt()
    assert (ended.code, ended.err) == (0, ""), ended.out
    assert not list(short_dir.glob("brokertape-*"))


def child_of(pid: int, command: str) -> int:
    """The process id of the child of `pid` that runs `brokertape <command>`."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if command in Path(f"/proc/{child}/cmdline").read_text().split("\0"):
            return int(child)
    raise AssertionError(f"no child of {pid} runs {command}")


@pytest.mark.skipif(sys.platform != "linux", reason="finds the child by /proc")
def test_a_part_that_dies_fails_the_demo(tmp_path: Path) -> None:
    """With its name, and where the rest is; the other parts die with it."""
    with running("demo", "demo", "--keep", "kept", directory=tmp_path) as demo:
        demo.until(lambda it: "baseline" in it.out)
        os.kill(child_of(demo.process.pid, "publish"), signal.SIGKILL)
        demo.process.wait(30)
        assert demo.process.returncode == 1
        assert "brokertape: publish ended with exit code -9" in demo.err
        assert str(tmp_path / "kept") in demo.out
