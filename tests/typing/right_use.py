"""What somebody writes who reads the tape by the package; only a type checker runs it."""

from collections.abc import Mapping, Sequence
from typing import assert_type

from brokertape.tape import ChangeEvent, Event, Flow, Keys, Row, apply, decode_entry


def names_of_buyers(rows: Sequence[Row]) -> list[str]:
    """A number the gateway left out is None and has to be thought of."""
    return [row.broker_name for row in rows if (row.net_vol or 0) > 0]


def flows_of(fields: Mapping[bytes, bytes]) -> list[Flow]:
    """The union of events narrows to one by its class, and its data comes along."""
    event = decode_entry(fields)
    assert_type(event, Event)
    if not isinstance(event, ChangeEvent):
        return []
    return [change.flow for change in event.data.changes if change.flow is not None]


def book_after(rows: Sequence[Row], event: ChangeEvent) -> tuple[Row, ...]:
    """The rules of the contract are functions of its values."""
    return apply(rows, event.data.changes)


assert_type(Keys(partitions=4).tape_of("HK.00700"), str)
