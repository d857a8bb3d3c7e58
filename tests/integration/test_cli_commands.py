"""The commands that look at a running tape."""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from brokertape.cli.redis_server import RedisServer
from support.commands import Ended, Running, run_command, running, wait_until
from support.tape_factory import TapeFactory, create_tape, publish

pytestmark = pytest.mark.server

CODES = "HK.00700,HK.00005"
LONG_S = 600.0  # longer than any wait of a test: what expires by then is not what was to expire


class Tape:
    """A simulated gateway, a publisher and a Redis; commands are run against them."""

    def __init__(self, redis_url: str, gateway: str, publisher: Running, directory: Path) -> None:
        self.client = redis.Redis.from_url(redis_url, decode_responses=True)
        self.gateway = gateway
        self.publisher = publisher
        self.directory = directory
        self.env = {"BROKERTAPE_REDIS_URL": redis_url, "BROKERTAPE_GATEWAY_ADDRESS": gateway}

    def run(self, *arguments: str) -> Ended:
        """Run a command on this tape."""
        return run_command(*arguments, cwd=self.directory, env=self.env)

    def ask(self, member: str, for_s: float) -> None:
        """Write a subscriber's interest."""
        seconds, microseconds = self.client.time()
        self.client.zadd("brokertape:interest", {member: 1000 * (seconds + for_s) + microseconds // 1000})

    def book(self, code: str) -> dict[str, str]:
        """The stored book of a code."""
        key = next(iter(self.client.scan_iter(f"brokertape:*:book:{code}")), None)
        found: Any = self.client.hgetall(key) if key else {}
        return dict(found)


@pytest.fixture(scope="module")
def tape(redis_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tape]:
    """A running tape for all tests here, with the first books on it; what a test changes it puts back."""
    directory = tmp_path_factory.mktemp("tape")
    redis_directory = Path(tempfile.mkdtemp(prefix="bt"))
    with (
        RedisServer(redis_directory, program=redis_program) as server,
        running("simulate", "simulate", "--port", "0", "--start", "busy", directory=directory) as gateway,
    ):
        gateway.until(lambda it: it.out)
        address = gateway.out.strip()
        arguments = ("--gateway", address, "--redis", server.url, "--codes", CODES, "--publisher", "p")
        with running("publish", "publish", *arguments, directory=directory) as publisher:
            tape = Tape(server.url, address, publisher, directory)
            wait_until(lambda: tape.book("HK.00700") and tape.book("HK.00005"))
            yield tape
            tape.client.close()
    shutil.rmtree(redis_directory)


@pytest.fixture
async def still_tape(redis_server: RedisServer) -> str:
    """The URL of a tape that nobody publishes on."""
    async with redis.asyncio.Redis.from_url(redis_server.url) as client:
        await publish(client, await create_tape(client), TapeFactory().day(changes=2))
        await client.hset("brokertape:watch", "HK.00700", "{}")
    return redis_server.url


def test_status_of_a_tape_that_is_well(tape: Tape) -> None:
    """Publisher, budget, codes, statuses; exit code 0."""
    ended = tape.run("status")
    assert (ended.code, ended.err) == (0, ""), ended.out
    for shown in ("healthy", "HK.00700", "of 30", "connected", "open"):
        assert shown in ended.out


def test_status_says_why_codes_are_polled(tape: Tape) -> None:
    """A line for each code, with its reason, and the same for programs; the verdict and the exit code stay."""
    wait_until(lambda: "HK.00700" in str(tape.client.get("brokertape:x:why:p")))
    ended = tape.run("status", "--why")
    assert (ended.code, ended.err) == (0, ""), ended.out
    assert re.search(r"HK\.00700 .* (first|index|cap|suspect|idle|audit) +p +\n", ended.out)
    for shown in ("HK.00005", "the lists are expected to show a trade", "heartbeat: the market rests", "healthy"):
        assert shown in ended.out
    state = json.loads(tape.run("status", "--why", "--json").out)
    (why,) = state["why"]
    assert why["publisher"] == "p"
    assert {code["code"] for code in why["codes"]} >= set(CODES.split(","))
    assert "why" not in json.loads(tape.run("status", "--json").out)


async def test_status_of_a_tape_that_is_not(still_tape: str, tmp_path: Path) -> None:
    """Every trouble, and exit code 1: nobody polls, a code was never seen, a group has not read for a long time."""
    async with redis.asyncio.Redis.from_url(still_tape) as client:
        await client.xadd("brokertape:{0}:tape", {"a": "b"}, id="1-1")
        await client.xgroup_create("brokertape:{0}:tape", "slow", "0")
    ended = run_command("status", "--json", "--redis", still_tape, cwd=tmp_path)
    assert ended.code == 1
    state = json.loads(ended.out)
    assert state["is_healthy"] is False
    assert state["troubles"][:2] == ["no publisher is running", "HK.00700 was never seen"]
    assert re.fullmatch(r"group slow is \d+ s behind", state["troubles"][2])
    [group] = state["groups"]
    assert (group["lag"], group["pending"]) == (1, 0)
    assert "unhealthy: no publisher is running" in run_command("status", "--redis", still_tape, cwd=tmp_path).out


def test_top_shows_the_book_that_is_stored(tape: Tape) -> None:
    """Every broker of it, when it does not move between two looks of ours."""
    wait_until(lambda: json.loads(tape.book("HK.00005")["snapshot"])["rows"])  # nobody may have traded it yet
    for _ in range(10):
        before = tape.book("HK.00005")
        ended = run_command("top", "HK.00005", "--once", cwd=tape.directory, env=tape.env | {"COLUMNS": "160"})
        if tape.book("HK.00005")["seq"] == before["seq"]:
            break
    assert (ended.code, ended.err) == (0, "")
    assert f"#{before['seq']}" in ended.out
    names = [row["broker_name"] for row in json.loads(before["snapshot"])["rows"]]
    assert names
    assert [name for name in names if name not in ended.out] == []


def test_tail_prints_lines_for_people(tape: Tape, tmp_path: Path) -> None:
    """The feed's too when asked; only the codes that are asked for."""
    arguments = ("--feed", "--from-start", "--code", "HK.00700", "--redis", tape.env["BROKERTAPE_REDIS_URL"])
    with running("tail", "tail", *arguments, directory=tmp_path) as tail:
        tail.until(lambda it: "baseline" in it.out and "watermark" in it.out)
        ended = tail.interrupt()
    assert (ended.code, ended.err) == (0, "")
    assert "gateway connected" in ended.out
    assert "HK.00005" not in ended.out


async def test_tail_waits_for_a_tape_and_for_a_redis_that_restarts(redis_server: RedisServer, tmp_path: Path) -> None:
    """It may be started first; and goes on where it was, with nothing missing or twice."""
    factory = TapeFactory()
    with running("tail", "tail", "--json", "--from-start", "--redis", redis_server.url, directory=tmp_path) as tail:
        tail.until(lambda it: "waiting for it" in it.err)
        async with redis.asyncio.Redis.from_url(redis_server.url) as client:
            keys = await create_tape(client)
            await publish(client, keys, factory.day(changes=3))
        tail.until(lambda it: it.out.count("\n") == 4)
        redis_server.stop()
        tail.until(lambda it: "Redis did not answer" in it.err)
        redis_server.start()
        async with redis.asyncio.Redis.from_url(redis_server.url) as client:
            await publish(client, keys, [factory.change(), factory.change()])
        tail.until(lambda it: it.out.count("\n") == 6)
        ended = tail.interrupt()
    assert (ended.code, "Traceback" in ended.err) == (0, False)
    assert [json.loads(line)["data"]["seq"] for line in ended.out.splitlines()] == [1, 2, 3, 4, 5, 6]


def test_codes_are_added_and_removed_while_it_runs(tape: Tape) -> None:
    """All of a command's codes or, if one is wrong, none."""
    assert tape.run("watch", "add", "HK.09988", "HK.03690", "--max-staleness", "20").code == 0
    wait_until(lambda: tape.book("HK.09988") and tape.book("HK.03690"))
    assert tape.run("watch", "add", "HK.00001", "HK.1").code == 2
    listed = json.loads(tape.run("watch", "list", "--json").out)
    assert set(listed) == {*CODES.split(","), "HK.09988", "HK.03690"}
    assert listed["HK.09988"] == {"weight": 1.0, "max_staleness_s": 20.0, "is_watched": True, "subscribers": 0}
    assert tape.run("watch", "remove", "HK.09988").code == 0
    ended = tape.run("watch", "remove", "HK.09988")
    assert (ended.code, ended.err) == (1, "HK.09988 was not watched\n")
    assert "HK.03690" in tape.run("watch", "list").out
    tape.run("watch", "remove", "HK.03690")
    wait_until(lambda: re.search(r"no longer polls .*HK\.09988", tape.publisher.err))  # both of them in one line, maybe


def test_what_a_subscriber_asks_for_is_polled_and_shown_until_its_interest_expires(tape: Tape) -> None:
    """`watch list` and `status` know it; what cannot be had is told to the subscriber and leaves the tape well."""
    for member in ("HK.01299|desk", "HK.01299|other", "US.AAPL|desk"):
        tape.ask(member, LONG_S)
    listed = json.loads(tape.run("watch", "list", "--json").out)
    expected = {"weight": 1.0, "max_staleness_s": None, "is_watched": False, "subscribers": 2}
    assert listed["HK.01299"] == expected
    wait_until(lambda: tape.book("HK.01299"))
    assert re.search(r"HK\.01299 .* 2 subscriber", tape.run("status").out)
    ended = tape.run("status", "--json")
    assert ended.code == 0, ended.out
    (refused,) = (one for one in json.loads(ended.out)["statuses"] if one["name"] == "US.AAPL")
    assert "only Hong Kong stocks" in refused["reason"]
    for member in ("HK.01299|desk", "HK.01299|other", "US.AAPL|desk"):
        tape.ask(member, 1)
    wait_until(lambda: "no longer polls HK.01299" in tape.publisher.err)
    assert "HK.01299" not in tape.run("watch", "list").out


def test_what_is_watched_already_stays_as_it_is(tape: Tape) -> None:
    """`publish --codes` seeds; it takes nothing back that an operator has set."""
    tape.run("watch", "add", "HK.00700", "--weight", "5")
    arguments = ("--publisher", "p2", "--codes", CODES)
    with running("p2", "publish", *arguments, directory=tape.directory, env=tape.env) as second:
        second.until(lambda it: "connected to gateway" in it.err)
    assert json.loads(tape.run("watch", "list", "--json").out)["HK.00700"]["weight"] == 5
    tape.run("watch", "add", "HK.00700")


def test_doctor_finds_nothing_wrong(tape: Tape) -> None:
    """On the server that we start ourselves, with a gateway that is logged in: a line for each thing looked at."""
    ended = tape.run("doctor")
    assert (ended.code, ended.err) == (0, ""), ended.out
    names = {line[8:].split("  ")[0] for line in ended.out.splitlines()}
    redis_names = {"Redis", "Redis version", "Redis eviction", "Redis durability", "Redis clock", "tape"}
    gateway_names = {"gateway", "gateway encryption", "gateway login", "gateway clock", "gateway rights"}
    assert names == redis_names | gateway_names


def test_doctor_says_what_to_do(redis_server: RedisServer, tmp_path: Path) -> None:
    """Each fault with its advice, and exit code 1: a server that forgets, a gateway that is not there."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.config_set("appendonly", "no")
        client.config_set("maxmemory-policy", "allkeys-lru")
    ended = run_command("doctor", "--gateway", "127.0.0.1:1", "--redis", redis_server.url, cwd=tmp_path)
    assert ended.code == 1
    assert [line.split(" → ")[1][:16] for line in ended.out.splitlines() if line.startswith("FAILED")] == [
        "set maxmemory-po",
        "set appendonly y",
        "start OpenD and ",
    ]


def test_doctor_without_a_redis_looks_at_the_gateway_all_the_same(tape: Tape) -> None:
    """But asks for no table: without the budget it might be one request too many."""
    ended = tape.run("doctor", "--redis", "redis://127.0.0.1:1")
    assert ended.code == 1
    assert ended.out.startswith("FAILED  Redis ")
    assert "ok      gateway login" in ended.out
    assert "skipped gateway rights" in ended.out


@pytest.fixture
def quick_gateways(tmp_path: Path) -> Iterator[list[str]]:
    """Two gateways with a limit of 5 in 2 s, so that a window passes quickly; half of one may be lost to a stall."""
    limits = ("--port", "0", "--start", "busy", "--limit", "5", "--window", "2", "--counts-refused")
    with (
        running("s1", "simulate", *limits, directory=tmp_path) as one,
        running("s2", "simulate", *limits, directory=tmp_path) as two,
    ):
        for gateway in (one, two):
            gateway.until(lambda it: it.out)
        yield [one.out.strip(), two.out.strip()]


def test_measuring_answers_all_seven_questions(
    redis_server: RedisServer, tmp_path: Path, quick_gateways: list[str]
) -> None:
    """As this gateway was set up: it counts refused requests, and its limit is its own."""
    ended = run_command(
        *("doctor", "--measure", "--seconds", "2", "--redis", redis_server.url, "--limit", "5", "--window", "2"),
        *("--gateway", quick_gateways[0], "--second-gateway", quick_gateways[1]),
        cwd=tmp_path,
    )
    assert (ended.code, ended.err) == (0, "")
    assert re.findall(r"^\((.)\)", ended.out, re.MULTILINE) == list("abcdefg")
    assert "refused requests count, failed ones count" in ended.out
    assert "still answers: per gateway" in ended.out
    assert "is read as OverBudget" in ended.out
    assert "is read as UnknownCode" in ended.out
    assert "in MORNING: " in ended.out
    assert "5 together: in the order sent" in ended.out


def test_measuring_never_passes_the_limit_beside_a_publisher(tape: Tape) -> None:
    """What would need that is not asked; the rest is."""
    ended = tape.run("doctor", "--measure", "--seconds", "2")
    assert ended.code == 0
    assert ended.out.count("not asked") == 3
    assert "nothing was refused" in ended.out
