"""`brokertape alert` itself: started, telling, reading its rules again, stopped; and its dead letters."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from brokertape.cli.redis_server import RedisServer
from brokertape.tape.codec import encode_entry
from brokertape.tape.events import TapeEvent
from brokertape.tape.keys import Keys
from brokertape.workers.alert_keys import AlertKeys
from support.commands import Running, run_command, running, wait_until
from support.scripted_day import ScriptedDay
from support.webhook_receiver import SECRET, WebhookReceiver, receiving

# workers/test_worker.py and workers/test_alerts.py ask the same of the server.
pytestmark = [pytest.mark.server, pytest.mark.one_server]

KEYS = Keys()
RULES = '[[rule]]\nname = "buys"\nwhen = "flow_known && flow.net_vol > 0"\n'
FLAGS = ("--lease", "0.5", "--late-after", "1000000000", "--log-format", "json")


class Tape:
    """A tape that a test writes, and whoever is started on it."""

    def __init__(self, server: RedisServer, directory: Path) -> None:
        self.url = server.url
        self.directory = directory
        self.rules = directory / "rules.toml"
        self.client = redis.Redis.from_url(server.url)
        self.day = ScriptedDay()
        self.client.hset(KEYS.meta, mapping={"schema": "1", "partitions": str(KEYS.partitions)})

    def add(self, event: TapeEvent) -> None:
        """Put an event on it."""
        self.client.xadd(KEYS.tape_of(event.data.code), dict[Any, Any](encode_entry(event)))

    def joined(self, command: Running) -> None:
        """Until `command` reads, then the first list."""
        tape = KEYS.tape_of(self.day.code)
        command.until(lambda _: self.client.exists(tape) and self.client.xinfo_groups(tape))
        self.add(self.day.trade("UBS", buy=100).baseline())

    def buy(self) -> TapeEvent:
        """UBS buys."""
        event = self.day.trade("UBS", buy=100).poll()
        self.add(event)
        return event


@pytest.fixture
def tape(redis_server: RedisServer, tmp_path: Path) -> Iterator[Tape]:
    """A new one, on a server of its own."""
    tape = Tape(redis_server, tmp_path)
    tape.rules.write_text(RULES)
    yield tape
    tape.client.close()


def test_alerts_are_printed_and_a_stop_is_clean(tape: Tape) -> None:
    """Without a sink in the file: a line each, nothing lost, exit code 0."""
    flags = ("--redis", tape.url, "--rules", str(tape.rules), *FLAGS)
    with running("alert", "alert", *flags, directory=tape.directory) as command:
        tape.joined(command)
        tape.buy()
        command.until(lambda one: one.out)
        tape.rules.write_text(RULES.replace("buys", "changed"))
        command.until(lambda one: "1 rules from" in one.err)
        tape.buy()
        command.until(lambda one: "[changed]" in one.out)
        ended = command.signal(signal.SIGTERM)
    assert ended.code == 0
    first, second = ended.out.splitlines()
    assert first == (
        "10:00:20  HK.00700 · UBS net +100 → +200 shares, buyer #1, bought 100, sold 0 for HK$10.0k at 100.00, "
        "in the 20s to 10:00:20 HKT [buys]"
    )
    assert second.endswith("[changed]")
    assert '"sent": {"console": 2}' in ended.err


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    """A webhook that refuses everything."""
    with receiving() as running_one:
        running_one.mood = "refusing"
        yield running_one


def test_what_a_sink_refuses_is_a_dead_letter_that_can_be_retried(tape: Tape, receiver: WebhookReceiver) -> None:
    """Listed with its reason, given back, and then it arrives."""
    (tape.directory / "secret").write_text(SECRET)
    sink = f'[[sink]]\nname = "hook"\nkind = "webhook"\nurl = "{receiver.url}"\nsecret_file = "secret"\n'
    tape.rules.write_text(RULES + sink)
    flags = ("--redis", tape.url, "--rules", str(tape.rules), "--max-attempts", "1", *FLAGS)
    on = ("--redis", tape.url)
    dead = AlertKeys(KEYS, "alerts").dead("alerts.hook")
    with running("alert", "alert", *flags, directory=tape.directory) as command:
        tape.joined(command)
        event = tape.buy()
        command.until(lambda _: tape.client.xlen(dead))
        listed = run_command("dead", "list", *on)
        assert "Refused: sink hook: it answers 400" in listed.out
        assert "alerts.hook" in run_command("status", *on).out
        receiver.recover()
        assert run_command("dead", "retry", "alerts.hook", "--all", *on).code == 0
        wait_until(lambda: receiver.accepted, 60)
    assert receiver.accepted[0].startswith(f"{event.id}/buys/")


def test_what_cannot_be_used_is_one_clear_line(tape: Tape) -> None:
    """Before anything is read."""
    on = ("--redis", tape.url)
    sink = '[[sink]]\nname = "hook"\nkind = "webhook"\nurl = "http://127.0.0.1:1"\nsecret_file = "gone"\n'
    tape.rules.write_text(RULES + sink)
    for arguments, line in (
        (("--rules", "none.toml", *on), "none.toml: No such file or directory"),
        (("--rules", "rules.toml", *on), "sink hook: gone: No such file or directory"),
        (("--rules", "rules.toml", "--redis", "redis://127.0.0.1:1"), "127.0.0.1:1"),
        (("--rules", "rules.toml", "--group", "a.b", *on), "--group: "),
    ):
        complaint = run_command("alert", *arguments, cwd=tape.directory).complaint
        assert line in complaint
