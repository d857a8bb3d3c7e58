"""JSON Schema (2020-12) of every event type, generated from the models: one self-contained document each.

They describe events as they are written. Like every reader they allow fields they do not know.
"""

import json
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

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


class _AsWritten(GenerateJsonSchema):
    """Events as they are on the wire: what the models fill in by default is there too."""

    def default_schema(self, schema: Any) -> JsonObject:
        return self.generate_inner(schema["schema"])

    def field_is_required(self, field: Any, total: bool) -> bool:
        return "serialization_exclude_if" not in field

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def event_type(kind: str) -> str:
    """The CloudEvents type of a kind: `brokertape.change.v1`."""
    return str(EVENT_MODELS[kind].model_fields["type"].default)


def event_schema(kind: str) -> JsonObject:
    """The schema of one event type, with a real event as its example. Raises KeyError for an unknown kind."""
    name = EVENT_MODELS[kind].__name__
    parts = definitions([kind], "#/$defs/{model}")
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
        ref_template: Where one schema finds another, with `{model}` for its name.
    """
    models = [(EVENT_MODELS[kind], "serialization") for kind in kinds]
    _, document = models_json_schema(models, ref_template=ref_template, schema_generator=_AsWritten)  # type: ignore[arg-type]
    return {name: _plain(part) for name, part in document["$defs"].items()}


def example(kind: str) -> JsonObject:
    """A real event of a kind, recorded from the simulated market."""
    recorded: JsonObject = json.loads(resources.files(__package__).joinpath("examples", f"{kind}.json").read_bytes())
    return recorded


def dumps(document: JsonObject) -> str:
    """A document as it is printed and committed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _plain(part: Any) -> Any:
    """A schema in plain words: without Python's class names, line breaks and word for null."""
    match part:
        case {"title": str(), **rest}:
            return _plain(rest)
        case dict():
            return {name: _plain(value) for name, value in part.items()}
        case list():
            return [_plain(value) for value in part]
        case str():
            return re.sub(r"\bNone\b", "null", re.sub(r"(?<!\n)\n(?!\n)", " ", part))
        case _:
            return part
