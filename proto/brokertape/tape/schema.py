"""JSON Schema (2020-12) of every event type, generated from the models: one self-contained document each.

They describe events as they are written. Like every reader they allow fields they do not know.
"""

import json
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from inspect import cleandoc
from typing import Any

from msgspec.json import schema_components

from brokertape.tape.events import (
    BaselineEvent,
    ChangeEvent,
    CorrectionEvent,
    Envelope,
    HistoryEvent,
    RolloverEvent,
    StatusEvent,
    WatermarkEvent,
)

JsonObject = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

EVENT_MODELS: Mapping[str, type[Envelope]] = {
    "baseline": BaselineEvent,
    "change": ChangeEvent,
    "rollover": RolloverEvent,
    "correction": CorrectionEvent,
    "history": HistoryEvent,
    "status": StatusEvent,
    "watermark": WatermarkEvent,
}
"""Every kind of event, and the model of its type: those of the tape first."""


def event_type(kind: str) -> str:
    """The CloudEvents type of a kind: `brokertape.change.v1`."""
    return EVENT_MODELS[kind].type


def event_schema(kind: str) -> JsonObject:
    """The schema of one event type, with a real event as its example. Raises KeyError for an unknown kind."""
    name = EVENT_MODELS[kind].__name__
    parts = definitions([kind], "#/$defs/{name}")
    return {
        "$schema": DIALECT,
        "$id": f"urn:brokertape:{kind}.v1",
        "title": event_type(kind),
        **parts.pop(name),
        "$defs": parts,
        "examples": [example(kind)],
    }


def definitions(kinds: Iterable[str], ref_template: str) -> JsonObject:
    """The schemas of event types and of all they are made of, by the names of their models.

    Args:
        kinds: Which event types.
        ref_template: Where one schema finds another, with `{name}` for its name.
    """
    models = [EVENT_MODELS[kind] for kind in kinds]
    _, parts = schema_components(models, ref_template=ref_template)
    return {name: _part(parts[name]) for name in sorted(parts)}


def example(kind: str) -> JsonObject:
    """A real event of a kind, recorded from the simulated market."""
    recorded: JsonObject = json.loads(resources.files(__package__).joinpath("examples", f"{kind}.json").read_bytes())
    return recorded


def dumps(document: JsonObject) -> str:
    """A document as it is printed and committed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _part(part: JsonObject) -> JsonObject:
    """The schema of one model as its events are written: what has a default is there too, unless that is null."""
    fields = part["properties"]
    required = [name for name, field in fields.items() if field.get("default", ...) is not None]
    return {**_plain(part), "required": required}


def _plain(part: Any) -> Any:
    """A schema in plain words: without Python's class names, defaults, line breaks and word for null."""
    match part:
        case {"title": str(), **rest} | {"default": _, **rest}:
            return _plain(rest)
        case {"enum": [str(only)], **rest}:
            return {"const": only, "type": "string", **_plain(rest)}
        case {"enum": list(), **rest} if "type" not in rest:
            return _plain({"type": "string", **part})
        case {"additionalProperties": value, "propertyNames": {"pattern": str(pattern)}, **rest}:
            return {**_plain(rest), "patternProperties": {pattern: _plain(value)}}  # other names are for later versions
        case dict():
            return {name: _plain(value) for name, value in part.items()}
        case list():
            return [_plain(value) for value in part]
        case str():
            return re.sub(r"\bNone\b", "null", re.sub(r"(?<!\n)\n(?!\n)", " ", cleandoc(part)))
        case _:
            return part
