"""Alerts as Alertmanager takes them, and services by apprise."""

import base64
import json
import logging
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from brokertape.workers.alerts.errors import SinkError
from brokertape.workers.alerts.rule_file import parse_rules
from brokertape.workers.alerts.sinks.message import Message, Refused, Sink
from brokertape.workers.errors import SinkUnavailable
from support.telling import an_alert

RULE = '[[rule]]\nname = "one"\nwhen = "true"\n'


class Listener(HTTPServer):
    """Remembers what is posted and answers `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.posted: list[tuple[str, Any]] = []

    @property
    def host(self) -> str:
        """`HOST:PORT`."""
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.posted.append((self.path, json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Requests are no news."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A running one."""
    server = Listener()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def a_sink(text: str) -> Sink:
    """The one sink of a file."""
    [table] = parse_rules(f'{RULE}[[sink]]\nname = "a"\n{text}').sinks
    return table.open()


def message(*, is_late: bool = False) -> Message:
    """One alert."""
    event = an_alert(1)
    return Message(event, is_late, (event.id,))


async def test_an_alert_has_labels_of_its_own_and_an_end(listener: Listener) -> None:
    """No label is empty, and two alerts are never one."""
    sink = a_sink(f'kind = "alertmanager"\nurl = "http://{listener.host}/"\nlasts = "2m"')
    await sink.send(message())
    await sink.send(message(is_late=True))
    await sink.close()
    (path, [alert]), (_, [late]) = listener.posted
    assert path == "/api/v2/alerts"
    assert alert["labels"] == {
        "alertname": "one",
        "alert_id": "HK.00700/1/1/one",
        "code": "HK.00700",
        "broker": "UBS",
    }
    assert late["labels"]["late"] == "true"
    assert alert["annotations"] == {"summary": "12:00:00  HK.00700 · number 1 [one]"}
    begin, end = (datetime.fromisoformat(alert[name]) for name in ("startsAt", "endsAt"))
    assert end - begin == timedelta(minutes=2)


@pytest.mark.parametrize(
    ("status", "error"), [(503, SinkUnavailable), (429, SinkUnavailable), (400, Refused), (302, Refused)]
)
async def test_an_answer_says_whether_to_try_again(listener: Listener, status: int, error: type[Exception]) -> None:
    """Redirects are followed nowhere."""
    listener.status = status
    sink = a_sink(f'kind = "alertmanager"\nurl = "http://{listener.host}"')
    with pytest.raises(error, match=f"sink a: it answers {status}"):
        await sink.send(message())
    await sink.close()


async def test_nobody_there_is_waited_for(listener: Listener) -> None:
    """And the address, which may hold secrets, is not told."""
    listener.server_close()
    sink = a_sink(f'kind = "webhook"\nurl = "http://{listener.host}/hidden"')
    with pytest.raises(SinkUnavailable, match=r"^sink a: ConnectError$"):
        await sink.send(message())
    await sink.close()


async def test_the_address_is_in_no_log(listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is logged of everything else: the path often is the secret."""
    caplog.set_level(logging.DEBUG)
    sink = a_sink(f'kind = "webhook"\nurl = "http://{listener.host}/hidden"')
    await sink.send(message())
    await sink.close()
    assert [path for path, _ in listener.posted] == ["/hidden"]
    assert "hidden" not in caplog.text


async def test_apprise_delivers(listener: Listener) -> None:
    """By any of its services; here one that posts JSON."""
    sink = a_sink(f'kind = "apprise"\nurl = "json://{listener.host}/hook"')
    await sink.send(message())
    [(path, posted)] = listener.posted
    assert (path, posted["message"], posted["title"]) == (
        "/hook",
        "12:00:00  HK.00700 · number 1 [one]",
        "brokertape alert",
    )


async def test_a_service_that_fails_is_waited_for(listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    """Its URL, which holds secrets, is in no log."""
    listener.status = 500
    sink = a_sink(f'kind = "apprise"\nurl = "json://user:hidden@{listener.host}/hook"')
    with pytest.raises(SinkUnavailable, match=r"^sink a: not delivered$"):
        await sink.send(message())
    assert "hidden" not in caplog.text
    assert base64.b64encode(b"user:hidden").decode() not in caplog.text


def test_a_service_nobody_knows_is_told() -> None:
    """At the start."""
    with pytest.raises(SinkError, match="sink a: its URL is none that apprise knows"):
        a_sink('kind = "apprise"\nurl = "pigeon://coop"')
