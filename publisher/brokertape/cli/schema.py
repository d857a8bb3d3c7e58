"""`brokertape schema`: the contract as documents for other languages."""

import sys
from pathlib import Path

from brokertape.cli.faults import OK, SettingsError
from brokertape.tape.asyncapi import asyncapi
from brokertape.tape.schema import EVENT_MODELS, dumps, event_schema

ASYNCAPI_FILE = "asyncapi.json"


def schema(event: str | None, output: Path | None) -> int:
    """Print the document asked for; with `output`, write it to its file there, or all of them.

    Raises:
        SettingsError: There is no such event, or `output` cannot be written to.
    """
    if event is not None and event not in EVENT_MODELS:
        raise SettingsError(f"there is no event {event!r}: name one of {', '.join(EVENT_MODELS)}")
    files = {schema_file(event): dumps(event_schema(event))} if event else documents()
    if output is None:
        sys.stdout.write(files[schema_file(event) if event else ASYNCAPI_FILE])
        sys.stdout.flush()  # a reader that has gone shows here, not at the interpreter's end
    else:
        _write(output, files)
    return OK


def documents() -> dict[str, str]:
    """Every file of the contract by its name, as it is committed under docs/schema."""
    schemas = {schema_file(event): dumps(event_schema(event)) for event in EVENT_MODELS}
    return {ASYNCAPI_FILE: dumps(asyncapi()), **schemas}


def schema_file(event: str) -> str:
    """The name of one event type's file."""
    return f"{event}.v1.json"


def _write(directory: Path, files: dict[str, str]) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (directory / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--output {directory}: {error.strerror}") from error
