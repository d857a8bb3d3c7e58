"""`brokertape history` as a process, beside a simulated gateway, a real Redis and a publisher."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from brokertape.cli.redis_server import RedisServer
from brokertape.publisher.history_store import HistoryStore
from brokertape.publisher.past_days import Known
from brokertape.tape.connection import connect
from brokertape.tape.events import HistoryData, HistoryEvent
from brokertape.tape.keys import Keys
from support.cluster import free_ports, three_nodes
from support.commands import Running, run_command, running, wait_until

# Its scripts are tested on every server in tests/unit/publisher, test_history_store.py and test_budget.py.
pytestmark = [pytest.mark.server, pytest.mark.one_server]

CODES = ("HK.00700", "HK.00005")
DATES = ("2026-05-07", "2026-05-05", "2026-05-04")  # a half day, before it a holiday
WINDOW_S = 6.0
QUIET_S = 3.0  # a publisher on a busy machine may well pause for a second
ENV = {
    "BROKERTAPE_BUDGET_WINDOW_S": str(WINDOW_S),
    "BROKERTAPE_BUDGET_PACE_WINDOW_S": str(WINDOW_S * 0.095),
    "BROKERTAPE_HISTORY_QUIET_S": str(QUIET_S),
    "BROKERTAPE_HISTORY_DAYS": "3",
}


def whole_lines(path: Path) -> list[str]:
    """The lines of a file that somebody is writing; the last may not be whole yet."""
    text = path.read_text() if path.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines()


@dataclass
class Place:
    """A gateway on Friday, 8 May 2026, at ten, and a Redis."""

    directory: Path
    source: tuple[str, ...]
    client: Any
    log: Path

    def history(self, *arguments: str) -> Any:
        """Run `brokertape history` to its end."""
        return run_command("history", *arguments, *self.source, env=ENV)

    def start(self, name: str, command: str, *arguments: str) -> Any:
        """A command in the background."""
        return running(name, command, *arguments, *self.source, directory=self.directory, env=ENV)

    def events(self) -> list[dict[str, Any]]:
        """What is on the history stream."""
        return [json.loads(fields[b"payload"]) for _, fields in self.client.xrange("brokertape:history")]

    def answers(self) -> list[dict[str, Any]]:
        """Every 3247 answer for a past day, in order."""
        answers = map(json.loads, whole_lines(self.log))
        return [answer for answer in answers if answer["days_before"] > 0]

    def asked_live(self) -> int:
        """How many live requests were answered."""
        return sum(json.loads(line)["days_before"] == 0 for line in whole_lines(self.log))


@contextmanager
def place_at(directory: Path, server: RedisServer, *arguments: str) -> Iterator[Place]:
    """A place whose gateway takes further flags."""
    log = directory / "answers.jsonl"
    with running(
        "simulate",
        *("simulate", "--port", "0", "--start", "2026-05-08T10:00", "--codes", ",".join(CODES), "--log", str(log)),
        *("--holidays", "2026-05-06", "--half-days", "2026-05-07", "--trades-per-s", "0.5"),
        *("--window", str(WINDOW_S), *arguments),
        directory=directory,
    ) as simulate:
        simulate.until(lambda it: it.out)
        with redis.Redis(unix_socket_path=str(server.socket)) as client:
            source = ("--gateway", simulate.out.strip(), "--redis", server.url)
            yield Place(directory, source, client, log)


@pytest.fixture
def place(redis_server: RedisServer, tmp_path: Path) -> Iterator[Place]:
    """The usual one."""
    with place_at(tmp_path, redis_server) as place:
        yield place


def rows_of(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of an answer as an event should have them."""
    sides: dict[str, list[dict[str, Any]]] = {"buy": [], "sell": []}
    for broker in answer["brokers"]:
        sides["buy" if broker["buy_sell_type"] == 1 else "sell"].append(broker)
    return [
        {"rank": rank, "side": side, "broker_name": broker["broker_name"], "net_vol": broker["net_vol"]}
        for side, brokers in sides.items()
        for rank, broker in enumerate(brokers, start=1)
    ]


def ids(events: Sequence[dict[str, Any]]) -> list[str]:
    """Their ids."""
    return [event["id"] for event in events]


WANTED = [f"{code}/history/{date}" for date in DATES for code in CODES]


def test_it_publishes_what_the_gateway_has_and_asks_once(place: Place) -> None:
    """Every row of every day as the gateway's own log has it; a second run asks for nothing."""
    ended = place.history(*CODES)
    assert (ended.code, ended.out) == (
        0,
        "past days of 2 codes: 6 asked for, 6 published, 0 already there, 0 not available\n",
    )
    events, answers = place.events(), place.answers()
    assert ids(events) == WANTED
    assert [event["data"]["rows"] for event in events] == [rows_of(answer) for answer in answers]
    assert all(event["data"]["rows"] for event in events)
    assert "0 asked for, 0 published, 6 already there" in place.history(*CODES).out
    assert len(place.answers()) == 6


@pytest.mark.parametrize("killed_after", [0, 1, 4])
def test_a_killed_run_goes_on(place: Place, killed_after: int) -> None:
    """kill -9, and again: every id exactly once."""
    with place.start("first", "history", *CODES) as first:
        first.until(lambda _: len(place.events()) >= killed_after)
        first.process.kill()
        first.process.wait()
    assert place.history(*CODES).code == 0
    assert sorted(ids(place.events())) == sorted(WANTED)


def test_a_gateway_that_has_fewer_days_ends_quietly(redis_server: RedisServer, tmp_path: Path) -> None:
    """Exit code 0, and nobody asks again."""
    with place_at(tmp_path, redis_server, "--past-days", "1") as place:
        ended = place.history(*CODES)
        assert (ended.code, ended.out) == (
            0,
            "past days of 2 codes: 4 asked for, 2 published, 0 already there, 4 not available\n",
        )
        assert "0 asked for" in place.history(*CODES).out


def test_ctrl_c_says_how_to_go_on(place: Place) -> None:
    """In one line, with the shell's exit code for it."""
    with place.start("history", "history", *CODES, "--days", "30") as history:  # a dozen seconds of work
        history.until(lambda _: place.events())
        ended = history.interrupt()
    assert ended.code == 130
    assert ended.out.endswith("run it again to go on\n")
    assert len(ended.out.splitlines()) == 1
    assert "Traceback" not in ended.err


def test_it_stands_back_behind_a_publisher(place: Place) -> None:
    """While live has work nothing of the past is asked for; when it ends, all of it is, within the gateway's limit."""
    with place.start("publish", "publish", "--no-snapshots", "--codes", ",".join(CODES)) as publisher:
        wait_until(lambda: place.log.exists() and place.asked_live() >= 6)
        with place.start("history", "history", *CODES) as history:
            goal = place.asked_live() + 60  # two windows
            wait_until(lambda: place.asked_live() >= goal)
            assert place.answers() == []
            publisher.interrupt()
            assert history.process.wait(30) == 0
    assert ids(place.events()) == WANTED
    assert all(json.loads(line)["ret_type"] == 0 for line in whole_lines(place.log))


def test_the_watch_list_is_filled_every_evening_until_it_is_ended(place: Place) -> None:
    """`--nightly` begins at once, stays, and ends in order."""
    assert run_command("watch", "add", CODES[0], *place.source[2:]).code == 0
    with place.start("history", "history", "--watched", "--nightly") as history:
        history.until(lambda _: len(place.events()) == 3)
        history.until(lambda it: "past days of 1 codes" in it.err)
        ended = history.interrupt()
    assert (ended.code, ended.out) == (0, "")
    assert "Traceback" not in ended.err


def test_nightly_waits_for_its_gateway(redis_server: RedisServer, tmp_path: Path) -> None:
    """For as long as it takes."""
    (port,) = free_ports(1)
    arguments = ("--nightly", *CODES, "--gateway", f"127.0.0.1:{port}", "--redis", redis_server.url)
    with running("history", "history", *arguments, directory=tmp_path, env=ENV) as history:
        history.until(lambda it: "waiting for it" in it.err)
        with place_at(tmp_path, redis_server, "--port", str(port)) as place:
            history.until(lambda _: ids(place.events()) == WANTED)
        assert history.interrupt().code == 0


def test_a_redis_that_is_killed_and_comes_back_costs_nothing(place: Place, redis_server: RedisServer) -> None:
    """It is waited for, and every list is there once."""
    with place.start("history", "history", *CODES) as history:
        history.until(lambda _: place.events())
        redis_server.kill()
        redis_server.start()
        assert history.process.wait(40) == 0
    assert sorted(ids(place.events())) == sorted(WANTED)


def test_tail_shows_past_days(place: Place) -> None:
    """Beside the tape, if asked to."""
    place.history(CODES[0])

    def lines(tail: Running) -> int:
        return len(tail.out.splitlines())

    arguments = ("tail", "--from-start", "--history", *place.source[2:])
    with running("tail", *arguments, directory=place.directory) as tail:
        tail.until(lambda it: lines(it) == 3)
        assert "2026-05-07, 1 days before" in tail.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--watched"),
        (("--watched",), "nothing is watched"),
        (("700",), "'700' is not a code"),
        (("HK.00700", "--days", "0"), "--days"),
        (("HK.00700", "--limit", "3"), "headroom 3"),
        (("HK.00700", "--nightly", "--again"), "--again"),
        (("HK.00700",), "127.0.0.1:1"),
    ],
)
def test_what_cannot_work_ends_in_one_line(redis_server: RedisServer, arguments: Sequence[str], said: str) -> None:
    """A gateway that nobody has started among it."""
    source = ("--gateway", "127.0.0.1:1", "--redis", redis_server.url)
    env = {"BROKERTAPE_GATEWAY_CONNECT_TIMEOUT_S": "0.5", "BROKERTAPE_LOG_LEVEL": "error"}
    assert said in run_command("history", *arguments, *source, env=env).complaint


async def test_stream_and_memory_share_a_slot_of_a_cluster(short_dir: Path, redis_program: Path) -> None:
    """So that one script can write both."""
    data = HistoryData(code=CODES[0], trading_date=DATES[0], days_before=1, data_time=None, rows=())
    identity: dict[str, Any] = {"source": "/opend/test", "id": f"{CODES[0]}/history/{DATES[0]}", "subject": CODES[0]}
    event = HistoryEvent(**identity, time="2026-05-08T10:00:00.000Z", data=data)
    with three_nodes(short_dir, redis_program) as nodes:
        async with connect(f"redis+cluster://127.0.0.1:{nodes[0].port}") as client:
            store = HistoryStore(client, Keys())
            assert await store.publish(event, "one")
            assert not await store.publish(event, "two")
            assert await store.known(DATES, CODES) == {DATES[0]: {CODES[0]: Known()}, DATES[1]: {}, DATES[2]: {}}
            assert await client.xlen(Keys().history) == 1
