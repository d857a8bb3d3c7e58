"""Sinks as they are written in the file of rules, and their secrets."""

import base64
import datetime
import os
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from brokertape.workers.alerts.errors import RuleFileError, SinkError
from brokertape.workers.alerts.rule_file import parse_rules
from brokertape.workers.alerts.sinks.signing import headers, secret_bytes
from brokertape.workers.alerts.sinks.table import CONSOLE, PER_MINUTE, SinkTable

RULE = '[[rule]]\nname = "one"\nwhen = "true"\n'
SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"


def sinks(text: str) -> list[SinkTable]:
    """Those of a file with one rule."""
    return list(parse_rules(RULE + text).sinks)


def test_without_one_there_is_the_console() -> None:
    """Whoever begins sees what is found."""
    assert sinks("") == [CONSOLE]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            '[[sink]]\nname = "a"\nkind = "pigeon"',
            "rules:6: kind: input should be 'console', 'file', 'webhook'",
        ),
        ('[[sink]]\nname = "a"\nkind = "file"', "rules:4: kind = 'file' needs path"),
        ('[[sink]]\nname = "a"\nkind = "webhook"', "rules:4: kind = 'webhook' needs url or url_file"),
        ('[[sink]]\nname = "a"\nkind = "webhook"\nurl = "ftp://x"', "rules:4: url: write http:// or https://"),
        ('[[sink]]\nname = "a"\nkind = "console"\npath = "x"', "rules:4: path does not go with kind = 'console'"),
        ('[[sink]]\nname = "A b"\nkind = "console"', "rules:5: name:"),
        ('[[sink]]\nname = "a"\nkind = "console"\nsecret = "x"', "rules:7: there is no key 'secret'"),
        ('[[sink]]\nname = "a"\nkind = "console"\nper_minute = 0', "rules:7: per_minute:"),
        (
            '[[sink]]\nname = "a"\nkind = "console"\n[[sink]]\nname = "a"\nkind = "console"',
            "rules:8: a second sink is called 'a'",
        ),
    ],
)
def test_a_fault_is_told_with_its_line(text: str, reason: str) -> None:
    """And what would do."""
    with pytest.raises(RuleFileError) as raised:
        sinks(text)
    assert str(raised.value).startswith(reason)


def test_limits_are_for_what_wakes_people() -> None:
    """A file takes all there is."""
    [webhook, file] = sinks(
        '[[sink]]\nname = "a"\nkind = "webhook"\nurl = "http://x"\n[[sink]]\nname = "b"\nkind = "file"\npath = "x"'
    )
    assert webhook.limit == PER_MINUTE < file.limit


def test_a_url_does_not_show() -> None:
    """It often is the secret."""
    [webhook] = sinks('[[sink]]\nname = "a"\nkind = "webhook"\nurl = "https://host/hidden"')
    assert "hidden" not in repr(webhook)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        ("whsec_!", "the secret is no base64"),
        ("c2hvcnQ=", "the secret has 5 bytes: use 24 to 64"),
    ],
)
def test_a_secret_that_is_none_is_told(tmp_path: Path, content: str | None, reason: str) -> None:
    """When it is opened, before anything is sent; without it."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_text(content)
    [webhook] = sinks(f'[[sink]]\nname = "a"\nkind = "webhook"\nurl = "https://host"\nsecret_file = "{path}"')
    with pytest.raises(SinkError, match=f"sink a: {path}: {reason}") as raised:
        webhook.open()
    assert "c2hv" not in str(raised.value)


def test_receivers_of_every_language_can_check_our_signature() -> None:
    """By the reference implementation; a body that was altered is found out."""
    body, now = b'{"id":"1"}', int(datetime.datetime.now(datetime.UTC).timestamp())
    sent = headers(secret_bytes(SECRET), "HK.00700/1/2/one", now, body)
    assert Webhook(SECRET).verify(body, sent) == {"id": "1"}
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + b" ", sent)


def test_without_a_secret_there_is_no_signature() -> None:
    """But the id."""
    assert headers(None, "x", 1, b"") == {"webhook-id": "x", "webhook-timestamp": "1"}


def test_a_random_secret_may_have_no_prefix() -> None:
    """Some hand it out bare."""
    key = os.urandom(24)
    assert secret_bytes(base64.b64encode(key).decode() + "\n") == key


@pytest.mark.parametrize("url", ["http://host:port/x", "https://u:pa/ss@h/", "https://host/a\nhttps://host/b"])
def test_a_url_that_cannot_be_read_is_told_when_it_is_opened(tmp_path: Path, url: str) -> None:
    """Without it: what looks like its port may be a part of the password."""
    path = tmp_path / "url"
    path.write_text(url)
    [webhook] = sinks(f'[[sink]]\nname = "a"\nkind = "webhook"\nurl_file = "{path}"')
    with pytest.raises(SinkError, match="sink a: its URL cannot be read") as raised:
        webhook.open()
    assert "pa" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_file_sink_takes_files_only(tmp_path: Path) -> None:
    """A pipe can neither be flushed nor cut: its first alert would be told for ever."""
    os.mkfifo(tmp_path / "fifo")
    [file] = sinks(f'[[sink]]\nname = "a"\nkind = "file"\npath = "{tmp_path / "fifo"}"')
    with pytest.raises(SinkError, match="fifo is no file; for standard output write kind = 'console'"):
        file.open()
