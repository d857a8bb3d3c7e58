"""Bad input: one clear line on standard error, exit code 2, never a traceback."""

import http.server
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from brokertape.cli import main
from brokertape.cli.redis_server import RedisServer
from support.commands import COMMAND, Ended, run_command, running
from support.rsa_keys import write_key

NOBODY = "127.0.0.1:1"  # a port where nobody listens
NO_REDIS = f"redis://{NOBODY}"


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run a command in this process, which is much quicker than starting one, in an empty directory."""
    for name in [name for name in os.environ if name.startswith("BROKERTAPE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["brokertape", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, out, err)

    yield run
    root.handlers = handlers
    root.setLevel(level)
    for number, handler in signals.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["publish", "--codes", "US.AAPL"], "--codes: 'US.AAPL' is of market 'US': only Hong Kong stocks"),
        (["publish", "--codes", "HK.700"], "--codes: 'HK.700' is not a code: write HK. and five digits"),
        (["publish", "--gateway", "opend"], "--gateway: 'opend': write HOST:PORT"),
        (["publish", "--limit", "0"], "--limit: "),
        (["publish", "--request-timeout", "60"], "request_timeout_s 60: give more than 0 and at most 30 s"),
        (["publish", "--prefix", "{a}"], "--prefix: key prefix '{a}'"),
        (["publish", "--rsa-key", "gone.pem"], "RSA key file gone.pem: No such file"),
        (["publish", "--config", "gone.toml"], "gone.toml: No such file"),
        (["publish", "--misspelt"], "No such option: --misspelt"),
        (["publish", "--redis", "http://127.0.0.1"], "Redis URL 'http://127.0.0.1': start it with redis://"),
        (["publish", "--redis", "redis://u:a/b@h"], "'redis://u:***@h': write special characters"),
        (["publish", "--redis", f"{NO_REDIS}?optoin=1"], "optoin"),
        (["publish", "--redis", f"redis+cluster://{NOBODY}"], "Redis did not answer: "),
        (["publish", "--redis", NO_REDIS], "Redis did not answer: "),
        (["store", "--redis", NO_REDIS], "Redis did not answer: "),
        (["tail", "--redis", NO_REDIS], "Redis did not answer: "),
        (["top", "HK.00700", "--redis", NO_REDIS], "Redis did not answer: "),
        (["status", "--redis", NO_REDIS], "Redis did not answer: "),
        (["watch", "list", "--redis", NO_REDIS], "Redis did not answer: "),
        (["top", "HK.7"], "'HK.7' is not a code"),
        (["tail", "--code", "HK.7"], "'HK.7' is not a code"),
        (["watch", "add", "HK.7"], "'HK.7' is not a code"),
        (["watch", "add", "HK.00700", "--weight", "-1"], "weight: Input should be greater than 0"),
        (["simulate", "--codes", "00700"], "simulator code '00700'"),
        (["simulate", "--speed", "-1"], "simulator speed -1"),
        (["simulate", "--list-lag", "2,1"], "simulator list_lag_s 2,1"),
        (["simulate", "--snapshot-codes", "401"], "simulator snapshot_codes 401"),
        (["simulate", "--port", "0", "--log", "gone/answers.jsonl"], "gone/answers.jsonl"),
        (["doctor", "--gateway", "opend"], "--gateway: 'opend': write HOST:PORT"),
        (["demo", "--keep", "."], "--keep .: choose a directory that is empty"),
        (["demo", "--seconds", "soon"], "'--seconds'"),
        (["publisch"], "No such command 'publisch'"),
    ],
)
def test_bad_input_is_one_line(run: Run, tmp_path: Path, arguments: list[str], said: str) -> None:
    """It says what is wrong, and nothing else is said."""
    (tmp_path / "something").touch()
    assert said in run(*arguments).complaint


def test_an_unknown_key_of_the_file_is_one_line(run: Run, tmp_path: Path) -> None:
    """With the file and the key."""
    (tmp_path / "brokertape.toml").write_text("[publish]\ncode = ['HK.00700']\n")
    complaint = run("publish").complaint
    assert complaint == "brokertape.toml: publish.code: no such setting, do you mean codes?"


@pytest.mark.parametrize(
    "url", ["redis://{secret}@127.0.0.1:1", "unix:///gone?password={secret}", "tcp://u:{secret}@h"]
)
def test_a_complaint_holds_no_password(run: Run, url: str) -> None:
    """However the URL is wrong."""
    result = run("publish", "--redis", url.format(secret=":hidden"))
    assert result.complaint
    assert "hidden" not in result.err


@pytest.mark.parametrize("command", ["publish", "store", "status", "tail"])
def test_a_wrong_password_is_one_line(run: Run, short_dir: Path, redis_program: Path, command: str) -> None:
    """As Redis says it."""
    server = RedisServer(short_dir / "r", program=redis_program, arguments=["--requirepass", "right"])
    with server:
        for url in (server.url, f"unix://:wrong@{server.socket}"):
            complaint = run(command, "--redis", url).complaint
            assert complaint.startswith(("Redis refused", "Redis refused the login"))


@pytest.mark.parametrize("command", ["publish", "tail", "status", "store"])
@pytest.mark.parametrize(
    ("meta", "said"),
    [({"schema": "2", "partitions": "16"}, "schema"), ({"schema": "1", "partitions": "24"}, "partitions = 24")],
)
def test_a_tape_of_another_make_is_one_line(
    run: Run, redis_server: RedisServer, command: str, meta: dict[str, str], said: str
) -> None:
    """A schema that is not ours, or a partition count that cannot be."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.hset("brokertape:meta", mapping=meta)
    assert said in run(command, "--redis", redis_server.url).complaint


def test_another_partition_count_is_one_line(run: Run, redis_server: RedisServer) -> None:
    """It would put codes where nobody looks for them."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.hset("brokertape:meta", mapping={"schema": "1", "partitions": "8"})
    complaint = run("publish", "--redis", redis_server.url).complaint
    assert "partitions = 8, this program is set to 16" in complaint


@pytest.mark.parametrize("command", ["status", "top"])
def test_where_there_is_no_tape_it_is_said(run: Run, redis_server: RedisServer, command: str) -> None:
    """And who makes one."""
    arguments = [command, *(["HK.00700"] if command == "top" else []), "--redis", redis_server.url]
    assert "`brokertape publish` makes it" in run(*arguments).complaint


class SilentHandler(http.server.BaseHTTPRequestHandler):
    """Refuses whatever it is sent."""

    def log_message(self, *_: object) -> None:
        """Say nothing on standard error."""


@pytest.fixture
def web_server() -> Iterator[str]:
    """The address of something that is neither Redis nor a gateway."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SilentHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_is_no_redis_is_one_line(run: Run, web_server: str) -> None:
    """A wrong port is the most likely mistake of all."""
    assert run("publish", "--redis", f"redis://{web_server}").complaint


@pytest.mark.parametrize(
    ("database", "said"),
    [
        ("mysql://u:hidden@h/d", "use a file path, sqlite:///PATH or postgresql://"),
        ("gone/tape.db", "gone/tape.db: No such file"),
        ("text.db", "not a database"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line(
    run: Run, redis_server: RedisServer, tmp_path: Path, database: str, said: str
) -> None:
    """A kind that is none of ours, a place that is not there, a file that is something else."""
    (tmp_path / "text.db").write_text("something else\n" * 100)
    result = run("store", "--database", database, "--redis", redis_server.url)
    assert said in result.complaint
    assert "hidden" not in result.err


def test_an_address_in_use_is_one_line(run: Run, tmp_path: Path) -> None:
    """Two simulators cannot share a port."""
    with running("simulate", "simulate", "--port", "0", directory=tmp_path) as first:
        first.until(lambda it: it.out)
        port = first.out.strip().rpartition(":")[2]
        assert "cannot listen" in run("simulate", "--port", port).complaint


@pytest.mark.parametrize("ours", ["other", "text"])
def test_a_wrong_rsa_key_is_one_line(run: Run, redis_server: RedisServer, tmp_path: Path, ours: str) -> None:
    """Another one than the gateway's, and one that is none."""
    write_key(tmp_path / "theirs.pem")
    write_key(tmp_path / "other.pem")
    (tmp_path / "text.pem").write_text("no key")
    with running("simulate", "simulate", "--port", "0", "--rsa-key", "theirs.pem", directory=tmp_path) as gateway:
        gateway.until(lambda it: it.out)
        arguments = ("publish", "--gateway", gateway.out.strip(), "--redis", redis_server.url)
        complaint = run(*arguments, "--rsa-key", f"{ours}.pem").complaint
        assert f"{ours}.pem" in complaint


@pytest.mark.parametrize("command", ["publish", "store", "status"])
def test_a_process_of_its_own_ends_with_one_line_too(tmp_path: Path, command: str) -> None:
    """The interpreter adds nothing to it."""
    ended = run_command(command, "--redis", NO_REDIS, cwd=tmp_path, program=COMMAND)
    assert ended.complaint.startswith("Redis did not answer: ")
