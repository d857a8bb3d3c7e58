"""Log lines."""

import json
import logging
from collections.abc import Iterator

import pytest

from brokertape.cli.logs import set_up_logs, without_passwords
from brokertape.cli.settings import LogGroup


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """The root logger is as it was afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)


def test_a_line_for_a_machine_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    """With what was given in `extra`, where it is said, and when."""
    set_up_logs(LogGroup(format="json"))
    logging.getLogger("brokertape.x").info("polled %d", 3, extra={"code": "HK.00700"})
    line = json.loads(capsys.readouterr().err)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "polled 3", "level": "info", "logger": "brokertape.x", "code": "HK.00700"}


def test_a_line_for_a_person_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    """With names and values at its end."""
    set_up_logs(LogGroup(format="console"))
    logging.getLogger("brokertape.x").info("polled", extra={"code": "HK.00700"})
    line = capsys.readouterr().err
    assert "polled" in line
    assert "code=HK.00700" in line


def test_less_than_the_level_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    """It is the least that is."""
    set_up_logs(LogGroup(level="warning"))
    logging.getLogger("brokertape.x").info("hush")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("style", ["json", "console"])
def test_no_line_holds_a_password(capsys: pytest.CaptureFixture[str], style: str) -> None:
    """Neither in the text, nor in a value, nor in a traceback; and no traceback shows the values of variables."""
    set_up_logs(LogGroup.model_validate({"format": style}))
    secret = "redis://u:hidden@h:1"
    try:
        raise OSError(f"cannot reach {secret}")
    except OSError:
        logging.getLogger("x").exception("lost %s", secret, extra={"url": secret})
    said = capsys.readouterr().err
    assert "hidden" not in said
    assert said.count("u:***@h") == 3


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://u:p@h/0", "redis://u:***@h/0"),
        ("rediss://:p@h", "rediss://:***@h"),
        ("at redis://h:1 and x@y:z", "at redis://h:1 and x@y:z"),
        ("redis://u:a@b:c@h and unix:///s", "redis://u:***@h and unix:///s"),
    ],
)
def test_passwords_are_covered(text: str, shown: str) -> None:
    """In any URL, and nothing else is."""
    assert without_passwords(text) == shown
