"""docs/contract.md, for people who have only that and the schemas."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from brokertape.tape import Keys, partition_of
from brokertape.tape.book import Book
from brokertape.tape.schema import EVENT_MODELS, event_schema, event_type
from support.source_tree import PROJECT

PAGE = (PROJECT / "docs" / "contract.md").read_text()
NAMED = set(re.findall(r"`([^`]+)`", PAGE))


def fields_and_values(schema: Any) -> Iterator[str]:
    """Every field of a schema and every value that one may have."""
    for part in (schema, *schema.get("$defs", {}).values()):
        yield from part["properties"]
        for field in part["properties"].values():
            yield from (*field.get("enum", ()), *field.get("items", {}).get("enum", ()))


@pytest.mark.parametrize("kind", EVENT_MODELS)
def test_the_page_names_all_there_is_of_an_event(kind: str) -> None:
    """The type, each field, each value."""
    assert event_type(kind) in PAGE
    envelope = {"specversion", "datacontenttype"}  # CloudEvents' own
    assert set(fields_and_values(event_schema(kind))) - envelope - NAMED == set()


def test_the_page_names_the_fields_of_a_book() -> None:
    """As they stand in the hash."""
    assert set(Book.__struct_fields__) - NAMED == set()


def test_the_page_names_the_keys() -> None:
    """Those that are a subscriber's business."""
    keys = Keys()
    assert {keys.meta, keys.feed, keys.status, keys.history, keys.interest, keys.interest_want} <= NAMED


def test_the_pages_partition_is_right() -> None:
    """Its worked example."""
    [partition] = re.findall(r"`HK.00700` has the CRC 0x9896: partition (\d+) of 16", PAGE)
    assert int(partition) == partition_of("HK.00700", 16)
