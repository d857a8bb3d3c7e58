"""The contract's documents, made from the models."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from brokertape.tape import Keys
from brokertape.tape.asyncapi import asyncapi
from brokertape.tape.codec import dump, load
from brokertape.tape.schema import DIALECT, EVENT_MODELS, dumps, event_schema, event_type, example
from support.example_events import DIRECTORY, examples, text_of

KINDS = list(EVENT_MODELS)


def test_the_examples_are_what_the_simulator_gives() -> None:
    """Each is a real event, and recording them again changes nothing: `python -m support.example_events` in tests/."""
    recorded = {path.stem: path.read_text() for path in DIRECTORY.glob("*.json")}
    assert recorded == {kind: text_of(event) for kind, event in examples().items()}


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_travels_unchanged(kind: str) -> None:
    """Read and written again it is the same, so that it shows every field there is."""
    payload = json.dumps(example(kind)).encode()
    assert json.loads(dump(load(payload))) == example(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_stands_alone(kind: str) -> None:
    """It says what it is, and refers to nothing outside itself."""
    schema = event_schema(kind)
    assert (schema["$schema"], schema["$id"]) == (DIALECT, f"urn:brokertape:{kind}.v1")
    assert schema["title"] == event_type(kind) == f"brokertape.{kind}.v1"
    refs = {node["$ref"] for node in nodes(schema) if "$ref" in node}
    assert refs == {f"#/$defs/{name}" for name in schema["$defs"]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_allows_fields_of_later_versions(kind: str) -> None:
    """Subscribers ignore what they do not know."""
    assert not [node for node in nodes(event_schema(kind)) if "additionalProperties" in node]


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_required_but_the_ordinal(kind: str) -> None:
    """The writer leaves nothing out; only the first record of a name has no ordinal."""
    schema = event_schema(kind)
    optional = [
        name
        for part in (schema, *schema["$defs"].values())
        for name in part["properties"]
        if name not in part["required"]
    ]
    assert optional == (["ordinal"] if kind == "change" else [])


def test_the_schemas_speak_no_python() -> None:
    """Whoever reads them knows null, and no class names beside those of the parts."""
    text = "".join(dumps(event_schema(kind)) for kind in KINDS)
    assert '"title": "brokertape.change.v1"' in text
    assert "None" not in text
    assert text.count('"title"') == len(KINDS)


def test_the_asyncapi_document_names_the_keys() -> None:
    """Its addresses are the streams of a tape with the default prefix."""
    channels = asyncapi()["channels"]
    tape, keys = channels["tape"], Keys(partitions=64)
    partitions = tape["parameters"]["partition"]["enum"]
    assert [tape["address"].replace("{partition}", partition) for partition in partitions] == keys.tapes()
    assert (channels["feed"]["address"], channels["history"]["address"]) == (keys.feed, keys.history)


def test_the_asyncapi_document_has_every_event_on_one_channel() -> None:
    """With the schema's parts and the same example."""
    document = asyncapi()
    on_channels = [kind for channel in document["channels"].values() for kind in channel["messages"]]
    assert sorted(on_channels) == sorted(KINDS) == sorted(document["components"]["messages"])
    for kind, message in document["components"]["messages"].items():
        [shown] = message["examples"]
        assert (shown["payload"], shown["headers"]["type"]) == (example(kind), event_type(kind))


def nodes(document: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document, but for its examples."""
    if isinstance(document, dict):
        yield document
        yield from (node for name, value in document.items() if name != "examples" for node in nodes(value))
    elif isinstance(document, list):
        yield from (node for value in document for node in nodes(value))
