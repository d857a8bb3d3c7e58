"""The Alertmanager itself takes our alerts."""

import json
import os
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from brokertape.cli.redis_server import die_with_parent
from brokertape.workers.alerts.rule_file import parse_rules
from brokertape.workers.alerts.sinks.message import Message
from support.telling import an_alert
from support.waiting import until

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    """The address of a running one."""
    if PROGRAM is None:
        if os.environ.get("CI"):
            pytest.fail("CI has no prometheus-alertmanager")
        pytest.skip("no prometheus-alertmanager here: apt install prometheus-alertmanager")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    command = [
        PROGRAM,
        f"--config.file={config}",
        f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=die_with_parent)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def answers(url: str) -> bool:
    """Whether it is up."""
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def alerts_of(url: str) -> list[dict[str, Any]]:
    """What it holds."""
    with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=5) as answer:
        found: list[dict[str, Any]] = json.load(answer)
        return found


async def test_the_alertmanager_takes_alerts_and_a_repeat_is_the_same(alertmanager: str) -> None:
    """With what a route goes by, and the text that a person reads."""
    await until(lambda: answers(alertmanager), 30)
    text = (
        f'[[rule]]\nname = "one"\nwhen = "true"\n[[sink]]\nname = "a"\nkind = "alertmanager"\nurl = "{alertmanager}"\n'
    )
    [table] = parse_rules(text).sinks
    sink = table.open()
    for number in (1, 2, 2):
        event = an_alert(number)
        await sink.send(Message(event, is_late=False, covers=(event.id,)))
    await sink.close()
    found = alerts_of(alertmanager)
    assert sorted(one["labels"]["alert_id"] for one in found) == ["HK.00700/1/1/one", "HK.00700/1/2/one"]
    assert {one["annotations"]["summary"] for one in found} == {
        "12:00:00  HK.00700 · number 1 [one]",
        "12:00:00  HK.00700 · number 2 [one]",
    }
    assert {one["status"]["state"] for one in found} <= {"active", "unprocessed"}
