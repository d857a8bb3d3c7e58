"""`brokertape schema`, and what is committed of it."""

import json
from pathlib import Path

import pytest

from brokertape.cli.faults import SettingsError
from brokertape.cli.schema import documents, schema
from brokertape.tape.schema import EVENT_MODELS
from support.commands import run_command
from support.source_tree import PROJECT


def test_the_committed_documents_are_true() -> None:
    """They are what the models make of them: `brokertape schema --output docs/schema`."""
    committed = {path.name: path.read_text() for path in (PROJECT / "docs" / "schema").iterdir()}
    assert committed == documents()


def test_it_prints_the_asyncapi_document() -> None:
    """The whole contract, for programs."""
    ended = run_command("schema")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out)["asyncapi"] == "3.0.0"


def test_it_prints_one_events_schema() -> None:
    """When it is named."""
    assert json.loads(run_command("schema", "rollover").out)["$id"] == "urn:brokertape:rollover.v1"


def test_it_writes_every_file(tmp_path: Path) -> None:
    """Into a directory that it makes."""
    ended = run_command("schema", "--output", str(tmp_path / "new"))
    assert (ended.code, ended.out) == (0, "")
    assert {path.name: path.read_text() for path in (tmp_path / "new").iterdir()} == documents()


def test_it_writes_one_file(tmp_path: Path) -> None:
    """Of the event named."""
    schema("status", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["status.v1.json"]


def test_an_unknown_event_is_bad_input() -> None:
    """One line that names those there are."""
    assert all(kind in run_command("schema", "trade").complaint for kind in EVENT_MODELS)


def test_a_directory_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    """One line that says why."""
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"--output .*file: "):
        schema(None, tmp_path / "file")
